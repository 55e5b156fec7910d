/** A loop that keeps a rhythm: at a place of its own within each interval, so that many agents do not come at once. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** Of the interval; its ends are left free, so that a late timer stays within its interval. */
const earliest = 0.05
const latest = 0.9

/** Never returns. The first turn is at once; a turn that takes longer than an interval misses those that it ran into. */
export const everyInterval = <E, R>(
  interval: Duration.Duration,
  turn: Effect.Effect<void, E, R>
): Effect.Effect<never, E, R> =>
  Effect.gen(function* () {
    const every = Duration.toMillis(interval)
    const place = every * (earliest + (yield* Random.next) * (latest - earliest))
    const rest = Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      const nextMs = (Math.floor((nowMs - place) / every) + 1) * every + place
      return Effect.sleep(Duration.millis(nextMs - nowMs))
    })
    return yield* Effect.forever(Effect.andThen(turn, rest))
  })
