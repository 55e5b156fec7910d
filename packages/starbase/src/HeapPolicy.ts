/**
 * What this process asks of its garbage collector. An activation leaves objects for hours and an ask for microseconds, and
 * both come from the same lines of effect. V8 watches which lines leave what lasts, and after many activations it may put
 * what every ask makes among the old as well: asks then cost a fifth more, for as long as the process lives.
 */
import { setFlagsFromString } from "node:v8"
import * as Effect from "effect/Effect"

/** Before entities come to be. */
export const apply: Effect.Effect<void> = Effect.sync(() =>
  setFlagsFromString("--no-allocation-site-pretenuring")
)
