/** How long a loop waits after a failure: exponential, bounded, and spread so that many agents do not come at once. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** Doublings after which the bound has long been reached. */
const doublingsMax = 30

/** Between half and all of the exponential pause before attempt `failures` (from 1). */
export const jitteredPause = (
  first: Duration.Duration,
  max: Duration.Duration,
  failures: number
): Effect.Effect<Duration.Duration> =>
  Effect.map(Random.next, (fraction) => {
    const doubled = Duration.toMillis(first) * 2 ** Math.min(failures - 1, doublingsMax)
    return Duration.millis(Math.min(doubled, Duration.toMillis(max)) * (0.5 + fraction / 2))
  })
