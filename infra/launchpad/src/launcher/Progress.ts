/** What a person sees while things start: one line per step, and a sign of life while a step is silent. */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/** The longest silence. */
const heartbeat = Duration.millis(1_500)

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** Runs a step; says its name and duration when it has succeeded, and every 1.5 s that it is at it. */
export const step = <A, E, R>(name: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const startedMs = yield* Clock.currentTimeMillis
    const beat = Effect.gen(function* () {
      yield* Effect.sleep(heartbeat)
      const nowMs = yield* Clock.currentTimeMillis
      yield* Console.log(`  … ${name} (${Math.round((nowMs - startedMs) / 1000)} s)`)
    })
    const beats = yield* Effect.forkChild(Effect.forever(beat))
    const result = yield* Effect.ensuring(work, Fiber.interrupt(beats))
    const endedMs = yield* Clock.currentTimeMillis
    yield* Console.log(`  ✓ ${name.padEnd(24)} ${seconds(endedMs - startedMs).padStart(7)}`)
    return result
  })
