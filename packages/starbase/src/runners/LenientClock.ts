/**
 * A clock for whatever waits for an answer with a time limit. While this process stands still, a long collection of garbage
 * for instance, neither timers nor answers are looked at; then the timers come first, and what was answered in time counts
 * as overdue. A sleep in which the process stood still ends a little later, so that answers that are here are heard.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** How often it is looked whether the process stands still. */
const tick = Duration.millis(50)

/** Milliseconds that a tick of a process that is only busy is not late by. */
const standstill = 150

/** To read what has come, and for one more question and its answer. A runner's locks outlast it many times. */
const grace = Duration.millis(500)

const millis = (clock: Clock.Clock) => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

/** Over the clock that there is, for as long as the scope. */
export const make = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  let stoodStillAt = -Infinity

  // A timer that is due earlier fires earlier: the tick knows before any limit that passed meanwhile.
  yield* Effect.suspend(() => {
    const due = millis(clock) + Duration.toMillis(tick)
    return Effect.map(clock.sleep(tick), () => {
      const now = millis(clock)
      if (now - due >= standstill) stoodStillAt = now
    })
  }).pipe(Effect.forever, Effect.forkScoped({ startImmediately: true }))

  const lenient: Clock.Clock = {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) =>
      Effect.suspend(() => {
        const since = millis(clock)
        return Effect.flatMap(clock.sleep(duration), () =>
          stoodStillAt > since ? clock.sleep(grace) : Effect.void
        )
      })
  }
  return lenient
})

export const layer: Layer.Layer<never> = Layer.effect(Clock.Clock, make)
