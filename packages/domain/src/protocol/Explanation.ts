/** Why an app is not live: how far its newest deploy came, and what holds it, the most causal first. */
import * as Schema from "effect/Schema"
import { AppId } from "../ids/AppId.ts"

/**
 * `live`: all is as desired. `degraded`: something serves, not all of it. `idle`: nobody wants a copy. `underway`: a
 * deploy does what it should. `stuck`: something holds it that will not pass by itself soon. `failed`: the newest deploy
 * ended without success. `empty`: nothing was ever deployed.
 */
export const Verdict = Schema.Literals(["live", "degraded", "idle", "underway", "stuck", "failed", "empty"])
export type Verdict = typeof Verdict.Type

/** Whose move it is. */
export const Blame = Schema.Literals(["app", "builder", "cluster", "starform", "nobody"])
export type Blame = typeof Blame.Type

export const Finding = Schema.Struct({
  /** Stable identifier, e.g. `BuilderAway`, `AgentBehind`. */
  code: Schema.String,
  blame: Blame,
  /** `false` for what is as it should be, or passes by itself. */
  holds: Schema.Boolean,
  line: Schema.String,
  /** What to do next, one line; empty when there is nothing to do. */
  next: Schema.String,
  sinceMs: Schema.NullOr(Schema.Int)
})
export type Finding = typeof Finding.Type

export const StepName = Schema.Literals([
  "accepted",
  "building",
  "built",
  "desired",
  "pulled",
  "observed",
  "live"
])
export type StepName = typeof StepName.Type

/** `now`: the step that the deploy is at. `stopped`: where it ended. `skipped`: this kind of deploy has no such step. */
export const StepState = Schema.Literals(["done", "now", "ahead", "stopped", "skipped"])

export const JourneyStep = Schema.Struct({
  step: StepName,
  state: StepState,
  /** When it began; `null` where nobody writes that down, or it has not. */
  atMs: Schema.NullOr(Schema.Int),
  note: Schema.String
})
export type JourneyStep = typeof JourneyStep.Type

export const Explanation = Schema.Struct({
  appId: AppId,
  atMs: Schema.Int,
  verdict: Verdict,
  headline: Schema.String,
  /** Of the newest deploy; empty before the first. */
  journey: Schema.Array(JourneyStep),
  /** Most causal first: what a finding explains comes after it. */
  findings: Schema.Array(Finding)
})
export type Explanation = typeof Explanation.Type
