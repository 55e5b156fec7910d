/** The act of making something live: a push, a rollback, a restart or a change of configuration. */
import * as Schema from "effect/Schema"
import { CommitSha } from "../ids/Digest.ts"
import { DeployId, ReleaseId } from "../ids/Ids.ts"

export const DeployKind = Schema.Literals(["push", "rollback", "restart", "configure"])
export type DeployKind = typeof DeployKind.Type

/**
 * `pending → building → built → deploying → deployed`; a deploy of an existing release starts at `built`.
 * `failed`, `cancelled` and `superseded` end it from any phase before `deployed`; the previous release stays live.
 *
 * @source reference specification §5.4, design §9.7 and §9.9
 */
export const DeployPhase = Schema.Literals([
  "pending",
  "building",
  "built",
  "deploying",
  "deployed",
  "failed",
  "cancelled",
  "superseded"
])
export type DeployPhase = typeof DeployPhase.Type

export const isTerminal = (phase: DeployPhase): boolean =>
  phase === "deployed" || phase === "failed" || phase === "cancelled" || phase === "superseded"

/** Why a deploy failed, in words for the person who pushed. */
export const DeployFailure = Schema.Struct({
  /** The phase that failed. */
  phase: DeployPhase,
  /** Stable identifier, e.g. `BuildFailed`, `WrongPort`, `HealthCheckFailed`, `DeadlineExceeded`. */
  code: Schema.String,
  /** One line. */
  reason: Schema.String,
  /** What to do about it, one line; empty when there is nothing to add. */
  advice: Schema.String,
  /** Last lines of the output that explain it; at most 20 lines. */
  output: Schema.Array(Schema.String)
})
export type DeployFailure = typeof DeployFailure.Type

export const PhaseEntry = Schema.Struct({ phase: DeployPhase, atMs: Schema.Int })
export type PhaseEntry = typeof PhaseEntry.Type

export const Deploy = Schema.Struct({
  id: DeployId,
  /** Grows by one with every deploy of the app; fences late writes to the cluster's desired state. */
  ordinal: Schema.Int,
  kind: DeployKind,
  phase: DeployPhase,
  /** Every phase that was entered, oldest first. */
  phases: Schema.Array(PhaseEntry),
  commit: Schema.NullOr(CommitSha),
  ref: Schema.NullOr(Schema.String),
  releaseId: Schema.NullOr(ReleaseId),
  failure: Schema.NullOr(DeployFailure),
  /** The deploy that took this one's place, when `superseded`. */
  supersededBy: Schema.NullOr(DeployId)
})
export type Deploy = typeof Deploy.Type
