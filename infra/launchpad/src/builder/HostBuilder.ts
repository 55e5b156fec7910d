/** `BuildService` on this machine: who is building what, and how it ended. Invariants: README. */
import * as Fs from "node:fs/promises"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { BuildId } from "@starform/domain/ids/Ids"
import {
  BuilderUnavailable,
  BuildUnknown,
  type WorkspaceQueueFull
} from "@starform/starbase/builds/BuildErrors"
import { BuildLog, type BuildLogUnavailable } from "@starform/starbase/builds/BuildLog"
import type { BuildQueue } from "@starform/starbase/builds/BuildQueue"
import { BuildService, type BuildStatus, isEnded } from "@starform/starbase/builds/BuildService"
import type { BuildResult, BuildSpec } from "@starform/starbase/builds/BuildSpec"
import type { BlobStore } from "@starform/starbase/storage/BlobStore"
import { type ActiveBuild, type BuildEnd, courseOf } from "./BuildCourse.ts"
import { BuildOutcomes, resultOf, statusOf } from "./BuildOutcomes.ts"
import { BuildUsers } from "./BuildUsers.ts"
import { removeLeftBehind } from "./BuildWorkspace.ts"
import type { DependencyLayers } from "./DependencyLayers.ts"
import { foldersOf, HostBuilderConfig, type HostBuilderSettings } from "./HostBuilderConfig.ts"
import type { Toolchain } from "./Toolchain.ts"

/** Any end as one that a caller knows. */
const knownEnd = (
  cause: Cause.Cause<BuildEnd | WorkspaceQueueFull | BuildLogUnavailable>
): BuildEnd | WorkspaceQueueFull =>
  Option.match(Cause.findErrorOption(cause), {
    onNone: () => new BuilderUnavailable({ operation: "carry out a build", cause }),
    onSome: (error) =>
      error._tag === "BuildLogUnavailable"
        ? new BuilderUnavailable({ operation: "begin a build's log", cause: error })
        : error
  })

const endStatus = (end: BuildEnd): BuildStatus => {
  switch (end._tag) {
    case "BuildFailed":
      return { _tag: "Failed", code: end.code, reason: end.reason }
    case "BuildCancelled":
      return { _tag: "Cancelled" }
    case "BuilderUnavailable":
      return { _tag: "Broken" }
  }
}

const make = Effect.gen(function* () {
  const config = yield* HostBuilderConfig
  yield* openFolders(config)
  yield* removeLeftBehind
  if (process.getuid?.() !== 0) {
    yield* Effect.logWarning(
      "builds run as the user of this process and may read and write whatever it may; started by root, each has a user of its own"
    )
  }
  const scope = yield* Effect.scope
  const context = yield* Effect.context<CourseServices>()
  const outcomes = yield* BuildOutcomes
  const users = yield* BuildUsers
  const buildLog = yield* BuildLog
  const active = new Map<BuildId, ActiveBuild>()

  const finish =
    (buildId: BuildId, build: ActiveBuild) =>
    (exit: Exit.Exit<BuildResult, BuildEnd | WorkspaceQueueFull | BuildLogUnavailable>) =>
      Effect.gen(function* () {
        active.delete(buildId)
        if (Exit.isSuccess(exit)) {
          yield* Deferred.succeed(build.accepted, undefined)
          yield* SubscriptionRef.set(build.status, { _tag: "Succeeded", result: exit.value })
          return yield* Deferred.succeed(build.ended, exit.value)
        }
        const end = knownEnd(exit.cause)
        if (end._tag === "WorkspaceQueueFull") {
          yield* Deferred.fail(build.accepted, end)
          yield* SubscriptionRef.set(build.status, { _tag: "Broken" })
          return yield* Deferred.fail(build.ended, new BuildUnknown({ buildId }))
        }
        if (end._tag === "BuilderUnavailable") {
          if (!Cause.hasInterruptsOnly(exit.cause)) {
            yield* Effect.logWarning(`build ${buildId}: ${end.message}`, end.cause)
          }
          yield* Deferred.fail(build.accepted, end)
        }
        yield* Deferred.succeed(build.accepted, undefined)
        yield* SubscriptionRef.set(build.status, endStatus(end))
        return yield* Deferred.fail(build.ended, end)
      })

  /** Between asking who is active and being active, no other fiber runs: an id is begun once (INV-BLD-1). */
  const join = Effect.fnUntraced(function* (spec: BuildSpec) {
    const status = yield* SubscriptionRef.make<BuildStatus>({ _tag: "Queued", position: 1 })
    const present = active.get(spec.buildId)
    if (present !== undefined) return present
    const build: ActiveBuild = {
      accepted: Deferred.makeUnsafe(),
      status,
      cancelled: Deferred.makeUnsafe(),
      ended: Deferred.makeUnsafe()
    }
    active.set(spec.buildId, build)
    yield* courseOf(spec, build).pipe(
      Effect.interruptible,
      Effect.onExit(finish(spec.buildId, build)),
      Effect.provideContext(context),
      Effect.forkIn(scope)
    )
    return build
  }, Effect.uninterruptible)

  const submit: BuildService["Service"]["submit"] = Effect.fn("HostBuilder.submit")(function* (spec) {
    const { buildId, workspaceId } = spec
    const isOver = !active.has(buildId) && Option.isSome(yield* outcomes.find(buildId))
    if (!isOver) yield* Deferred.await((yield* join(spec)).accepted)
    return { buildId, workspaceId }
  })

  /** The outcome of a build that is not active. */
  const outcome = (buildId: BuildId) =>
    Effect.flatMap(
      outcomes.find(buildId),
      Option.match({
        onNone: () => Effect.fail(new BuildUnknown({ buildId })),
        onSome: (found) => Effect.succeed(found)
      })
    )

  const statusChanges: BuildService["Service"]["statusChanges"] = ({ buildId }) =>
    Stream.suspend(() => {
      const build = active.get(buildId)
      return build === undefined
        ? Stream.fromEffect(Effect.map(outcome(buildId), statusOf))
        : SubscriptionRef.changes(build.status).pipe(Stream.takeUntil(isEnded))
    })

  return BuildService.of({
    ensureProject: (workspaceId) => Effect.scoped(Effect.asVoid(users.seat(workspaceId))),
    submit,
    logs: ({ buildId }, fromChunk) => buildLog.follow(buildId, fromChunk),
    status: ({ buildId }) =>
      Effect.suspend(() => {
        const build = active.get(buildId)
        return build === undefined
          ? Effect.map(outcome(buildId), statusOf)
          : SubscriptionRef.get(build.status)
      }),
    statusChanges,
    await: ({ buildId }) =>
      Effect.suspend(() => {
        const build = active.get(buildId)
        return build === undefined
          ? Effect.flatMap(outcome(buildId), (found) => resultOf(buildId, found))
          : Deferred.await(build.ended)
      }),
    cancel: ({ buildId }) =>
      Effect.suspend(() => {
        const build = active.get(buildId)
        if (build === undefined) return Effect.void
        return Effect.andThen(
          Deferred.succeed(build.cancelled, undefined),
          Effect.exit(Deferred.await(build.ended))
        )
      }).pipe(Effect.asVoid)
  })
})

type CourseServices = Effect.Services<ReturnType<typeof courseOf>>

/** Folders of the builder; those that build users must pass are open to be entered, not to be listed. */
const openFolders = (config: HostBuilderSettings) =>
  Effect.tryPromise({
    try: async () => {
      const { work, npm, layers, users, outcomes } = foldersOf(config)
      for (const path of [config.directory, work, npm]) {
        await Fs.mkdir(path, { recursive: true })
        await Fs.chmod(path, 0o711)
      }
      for (const path of [layers, users, outcomes]) await Fs.mkdir(path, { recursive: true, mode: 0o700 })
    },
    catch: (cause) => new BuilderUnavailable({ operation: "open its folders", cause })
  })

/** Ends running builds when its scope closes; they have no outcome then (INV-HBL-6). */
export const layerNoDeps: Layer.Layer<
  BuildService,
  BuilderUnavailable,
  | HostBuilderConfig
  | BlobStore
  | BuildQueue
  | BuildLog
  | BuildUsers
  | BuildOutcomes
  | DependencyLayers
  | Toolchain
> = Layer.effect(BuildService, make)
