/** Who waits for which build's log, within one process. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

export interface Wakeups {
  readonly wake: (key: string) => void
  /** The inner effect completes after a wake-up, or after `pollInterval` without one. */
  readonly watch: (key: string) => Effect.Effect<Effect.Effect<void>, never, Scope.Scope>
}

export const makeWakeups = (pollInterval: Duration.Input): Wakeups => {
  const waiting = new Map<string, Set<Queue.Queue<void>>>()

  const register = (key: string) =>
    Effect.map(Queue.sliding<void>(1), (queue) => {
      const others = waiting.get(key)
      if (others === undefined) waiting.set(key, new Set([queue]))
      else others.add(queue)
      return queue
    })

  const forget = (key: string, queue: Queue.Queue<void>) =>
    Effect.sync(() => {
      const others = waiting.get(key)
      others?.delete(queue)
      if (others?.size === 0) waiting.delete(key)
    })

  const watch = (key: string) =>
    Effect.acquireRelease(register(key), (queue) => forget(key, queue)).pipe(
      Effect.map((queue) =>
        Queue.take(queue).pipe(Effect.timeoutOrElse({ duration: pollInterval, orElse: () => Effect.void }))
      )
    )

  const wake = (key: string) => {
    for (const queue of waiting.get(key) ?? []) Queue.offerUnsafe(queue, undefined)
  }

  return { wake, watch }
}
