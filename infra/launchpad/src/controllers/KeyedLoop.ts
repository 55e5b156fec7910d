/**
 * Level-driven work by key. One key is reconciled by one fiber at a time, different keys concurrently up to a
 * limit; an activation during a reconcile leads to exactly one more. A failure is repeated with growing delay.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"

/** What one reconcile came to. `Terminal` waits for the next activation: repeating alone would not help. */
export type Outcome =
  | { readonly _tag: "Converged" }
  | { readonly _tag: "RequeueAfter"; readonly delay: Duration.Duration }
  | { readonly _tag: "Terminal"; readonly reason: string }

export const converged: Outcome = { _tag: "Converged" }

/** `undefined` is `Converged`; a delay is at least `minimum`, so that a rounded time cannot spin. */
export const againAfter = (seconds: number | undefined, minimum: Duration.Duration): Outcome =>
  seconds === undefined
    ? converged
    : { _tag: "RequeueAfter", delay: Duration.max(Duration.seconds(Math.max(0, seconds)), minimum) }

export interface KeyedLoop {
  /** Returns at once; never fails. */
  readonly activate: (key: string) => Effect.Effect<void>
}

export interface KeyedLoopOptions<E, R> {
  /** For logs. */
  readonly name: string
  readonly reconcile: (key: string) => Effect.Effect<Outcome, E, R>
  readonly concurrency: number
  /** First delay after a failure; doubles up to `retryMax`. */
  readonly retryMin: Duration.Duration
  readonly retryMax: Duration.Duration
}

interface Entry {
  running: boolean
  dirty: boolean
  failures: number
  timer: Fiber.Fiber<void> | undefined
}

/** Ends with its scope; a reconcile in progress is interrupted. */
export const make = <E, R>(
  options: KeyedLoopOptions<E, R>
): Effect.Effect<KeyedLoop, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const context = yield* Effect.context<R>()
    const permits = yield* Semaphore.make(options.concurrency)
    const entries = new Map<string, Entry>()

    const attempt = Effect.fnUntraced(function* (key: string, entry: Entry) {
      entry.dirty = false
      const outcome = yield* permits.withPermits(1)(Effect.exit(options.reconcile(key)))
      if (outcome._tag === "Success") {
        entry.failures = 0
        if (outcome.value._tag === "Terminal") {
          yield* Effect.logWarning(`${options.name} ${key}: ${outcome.value.reason}`)
        }
        return outcome.value._tag === "RequeueAfter" ? outcome.value.delay : undefined
      }
      if (Cause.hasInterruptsOnly(outcome.cause)) {
        return yield* Effect.interrupt
      }
      entry.failures += 1
      yield* Effect.logWarning(`${options.name} ${key}: reconcile failed`, outcome.cause)
      const delay = Duration.times(options.retryMin, 2 ** Math.min(entry.failures - 1, 20))
      return Duration.min(delay, options.retryMax)
    })

    const activate = (key: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const entry = entries.get(key) ?? { running: false, dirty: false, failures: 0, timer: undefined }
        entries.set(key, entry)
        entry.dirty = true
        if (entry.running) {
          return Effect.void
        }
        entry.running = true
        return Effect.asVoid(Effect.forkIn(work(key, entry), scope))
      })

    const work = (key: string, entry: Entry): Effect.Effect<void> =>
      Effect.gen(function* () {
        if (entry.timer !== undefined) {
          yield* Fiber.interrupt(entry.timer)
          entry.timer = undefined
        }
        let delay: Duration.Duration | undefined
        while (entry.dirty) {
          delay = yield* attempt(key, entry)
        }
        entry.running = false
        if (delay !== undefined) {
          entry.timer = yield* Effect.forkIn(Effect.andThen(Effect.sleep(delay), activate(key)), scope)
        } else {
          entries.delete(key)
        }
      }).pipe(Effect.provideContext(context))

    return { activate }
  })
