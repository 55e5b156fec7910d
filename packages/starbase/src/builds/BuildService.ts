/**
 * The port to builders. Called by the deploy workflow and by whoever shows a build.
 *
 * @source reference specification §5.2
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { WorkspaceId } from "@starform/domain/ids/Ids"
import type {
  BuildCancelled,
  BuildFailed,
  BuilderUnavailable,
  BuildUnknown,
  WorkspaceQueueFull
} from "./BuildErrors.ts"
import { BuildFailureCode } from "./BuildErrors.ts"
import type { BuildLogLine, BuildLogUnavailable } from "./BuildLog.ts"
import { BuildResult, type BuildHandle, type BuildSpec } from "./BuildSpec.ts"

/** What a builder is doing, in the order in which it does it. */
export const BuildStep = Schema.Literals(["source", "install", "build", "package"])
export type BuildStep = typeof BuildStep.Type

export const BuildStatus = Schema.TaggedUnion({
  /** 1 is next. */
  Queued: { position: Schema.Int },
  Running: { step: BuildStep, sinceMs: Schema.Int },
  Succeeded: { result: BuildResult },
  Failed: { code: BuildFailureCode, reason: Schema.String },
  Cancelled: {},
  /** Ended by a fault of ours; a new submit begins it again. */
  Broken: {}
})
export type BuildStatus = typeof BuildStatus.Type

export const isEnded = (status: BuildStatus): boolean => status._tag !== "Queued" && status._tag !== "Running"

export class BuildService extends Context.Service<
  BuildService,
  {
    /** Readies what builds of a workspace share (caches). Idempotent; `submit` does it too. */
    readonly ensureProject: (workspaceId: WorkspaceId) => Effect.Effect<void, BuilderUnavailable>
    /** Answers once the build has its place in the queue. A second submit of an id joins (INV-BLD-1). */
    readonly submit: (spec: BuildSpec) => Effect.Effect<BuildHandle, WorkspaceQueueFull | BuilderUnavailable>
    /** Lines from chunk `fromChunk` (1 is the first) on, live, until the log's end; of ended builds too. */
    readonly logs: (
      handle: BuildHandle,
      fromChunk: number
    ) => Stream.Stream<BuildLogLine, BuildLogUnavailable>
    readonly status: (handle: BuildHandle) => Effect.Effect<BuildStatus, BuildUnknown | BuilderUnavailable>
    /** The present status, then every change; ends after the last. Slow readers miss intermediate ones. */
    readonly statusChanges: (
      handle: BuildHandle
    ) => Stream.Stream<BuildStatus, BuildUnknown | BuilderUnavailable>
    /** Interrupting the wait leaves the build alone. */
    readonly await: (
      handle: BuildHandle
    ) => Effect.Effect<BuildResult, BuildFailed | BuildCancelled | BuildUnknown | BuilderUnavailable>
    /** Idempotent; without effect on an ended or unknown build. Answers when nothing of it runs (INV-BLD-3). */
    readonly cancel: (handle: BuildHandle) => Effect.Effect<void, BuilderUnavailable>
  }
>()("@starform/starbase/builds/BuildService") {}
