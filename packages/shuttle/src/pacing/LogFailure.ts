/** The first failure of a row is a warning, its repetitions are details: an outage is told once. */
import * as Effect from "effect/Effect"

/** @param failuresBefore failures in a row before this one */
export const logFailure = (failuresBefore: number): typeof Effect.logWarning =>
  failuresBefore === 0 ? Effect.logWarning : Effect.logDebug
