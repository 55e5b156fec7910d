/**
 * Lets requests to the API server go at the pace that it keeps up with (`ConcurrencyLimit`). One that it refused for its load
 * (429) was not executed: it is sent again by itself, and until the time that the server named nothing else is sent either.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { requestsAtOnceMax, requestsPushedBack } from "../health/ShuttleMetrics.ts"
import { ConcurrencyLimit, type Ending } from "../pacing/ConcurrencyLimit.ts"

export interface RequestPace {
  /**
   * Waits for its turn, and for the server's pause.
   *
   * @param kind requests of one kind cost about the same
   */
  readonly run: <A, E>(kind: string, request: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

/** At first; grows with every answer. */
const start = 8

/** A request that is refused for the load of the server is sent again this many times. */
const pushBacksMax = 8

/** When the server does not say how long. */
const pauseWithoutWord = Duration.seconds(1)

interface Unreachable {
  readonly _tag: "KubernetesUnreachable"
  readonly status: number | null
  readonly retryAfterSeconds: number | null
}

const isUnreachable = (error: unknown): error is Unreachable =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "KubernetesUnreachable"

const isPushedBack = (error: unknown): error is Unreachable => isUnreachable(error) && error.status === 429

/** Any word of the server is an answer, an error too; its own trouble (503, 504) is a sign of load. */
const endingOf = (error: unknown): Ending => {
  if (!isUnreachable(error)) return "answered"
  if (error.status === null) return "silent"
  return error.status === 429 || error.status === 503 || error.status === 504 ? "pushedBack" : "answered"
}

/** Says nothing of the server: it never left this process. */
const isUnsent = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "NotLeading"

/** @param max requests at once, whatever the server takes */
export const make = Effect.fnUntraced(function* (max: number): Effect.fn.Return<RequestPace> {
  const clock = yield* Clock.Clock
  const limit = new ConcurrencyLimit({ start, max })
  const slots = yield* Semaphore.make(limit.limit)
  let taken = limit.limit
  let inFlight = 0
  let pausedUntilMs = 0

  const awaitPause: Effect.Effect<void> = Effect.suspend(() => {
    const pauseMs = pausedUntilMs - clock.currentTimeMillisUnsafe()
    return pauseMs <= 0 ? Effect.void : Effect.andThen(Effect.sleep(Duration.millis(pauseMs)), awaitPause)
  })

  const adjust = Effect.suspend(() => {
    if (taken === limit.limit) return Effect.void
    taken = limit.limit
    return Effect.andThen(Semaphore.resize(slots, taken), Metric.update(requestsAtOnceMax, taken))
  })

  const pause = (seconds: number | null, endedAtMs: number) => {
    const millis = seconds === null ? Duration.toMillis(pauseWithoutWord) : seconds * 1000
    pausedUntilMs = Math.max(pausedUntilMs, endedAtMs + millis)
    return Metric.update(requestsPushedBack, 1)
  }

  const timed = <A, E>(kind: string, request: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      const startedAtMs = clock.currentTimeMillisUnsafe()
      const underWay = ++inFlight
      return Effect.onExit(request, (exit) => {
        inFlight--
        // Nothing is learned from a request that nobody waits for any more.
        if (Exit.hasInterrupts(exit)) return Effect.void
        const endedAtMs = clock.currentTimeMillisUnsafe()
        const failure = Option.getOrUndefined(Exit.findErrorOption(exit))
        if (isUnsent(failure)) return Effect.void
        limit.note({ kind, ending: endingOf(failure), startedAtMs, endedAtMs, inFlight: underWay })
        return isPushedBack(failure)
          ? Effect.andThen(pause(failure.retryAfterSeconds, endedAtMs), adjust)
          : adjust
      })
    })

  const run = <A, E>(
    kind: string,
    request: Effect.Effect<A, E>,
    pushBacksLeft: number
  ): Effect.Effect<A, E> =>
    Effect.catchIf(
      Semaphore.withPermit(slots)(Effect.andThen(awaitPause, timed(kind, request))),
      (error) => pushBacksLeft > 0 && isPushedBack(error),
      () => run(kind, request, pushBacksLeft - 1)
    )

  return { run: (kind, request) => run(kind, request, pushBacksMax) }
})
