/** What a Shuttle saw in its cluster. Never built from a desired document, and never assignable to one. */
import * as Schema from "effect/Schema"
import { AppId } from "../ids/AppId.ts"
import { DeployId, ReleaseId } from "../ids/Ids.ts"
import { Revision } from "../ids/Revision.ts"
import { ProcessName } from "../ids/Slug.ts"
import * as SnakeCase from "../protocol/SnakeCase.ts"

/**
 * `progressing`: applied, not all pods of the release ready yet. `available`: every process type of the release
 * is available, observed at the written generation. `degraded`: was available, lost pods. `failed`: cannot become
 * available without a change (the reason says why). `absent`: all objects of a tombstoned app are gone;
 * until then it is `progressing` with a reason where something keeps it.
 */
export const ObservedPhase = Schema.Literals(["progressing", "available", "degraded", "failed", "absent"])
export type ObservedPhase = typeof ObservedPhase.Type

export const ObservedProcess = SnakeCase.struct({
  name: ProcessName,
  desiredReplicas: Schema.Int,
  /** Pods of this very release that are ready. */
  readyReplicas: Schema.Int,
  /** Pods of this very release that exist. */
  updatedReplicas: Schema.Int
})
export type ObservedProcess = typeof ObservedProcess.Type

/** Why an app is not available: a stable code and a sentence, e.g. `WrongPort` "listens on 3000, but PORT is 8080". */
export const ObservedReason = SnakeCase.struct({ code: Schema.String, message: Schema.String })
export type ObservedReason = typeof ObservedReason.Type

export const ObservedApp = SnakeCase.struct({
  appId: AppId,
  /** The deploy and release that the observed objects carry in their annotations. `null` once absent. */
  deployId: Schema.NullOr(DeployId),
  releaseId: Schema.NullOr(ReleaseId),
  ordinal: Schema.Int,
  phase: ObservedPhase,
  processes: Schema.Array(ObservedProcess),
  reason: Schema.NullOr(ObservedReason),
  /** Last lines that a failing process printed, for the person who pushed; at most 20. */
  output: Schema.Array(Schema.String)
})
export type ObservedApp = typeof ObservedApp.Type

/** Sent on change and at least every 30 s. */
export const StatusReport = SnakeCase.struct({
  /** The newest revision that the agent holds; `null` before its first pull. */
  revision: Schema.NullOr(Revision),
  /** Apps whose observation changed since the last acknowledged report; all of them when `complete`. */
  apps: Schema.Array(ObservedApp),
  complete: Schema.Boolean,
  agentVersion: Schema.String
})
export type StatusReport = typeof StatusReport.Type
