/** Callers that ask one entity after another without a pause, as many answers as they can get. */
import { Effect } from "effect"

export interface Round {
  readonly callers: number
  readonly entities: number
  readonly seconds: number
}

/** Coprime with the numbers of entities that are used: each caller meets all of them, and no two in the same order. */
const stride = 7919

export interface RoundResult {
  readonly perSecond: number
  /** CPU time of the whole process per answer: what a busy machine leaves as it is. */
  readonly cpuMicroseconds: number
}

/** Fails with the first ask that does. */
export const runRound = <E>(
  { callers, entities, seconds }: Round,
  ask: (entity: number) => Effect.Effect<unknown, E>
): Effect.Effect<RoundResult, E> =>
  Effect.gen(function* () {
    let answers = 0
    const cpuFrom = process.cpuUsage()
    const from = performance.now()
    const until = from + seconds * 1000
    const caller = (first: number) =>
      Effect.gen(function* () {
        for (let n = first; performance.now() < until; n += callers) {
          yield* ask((n * stride) % entities)
          answers++
          // As callers whose questions come over sockets do: a turn of the event loop is not one caller's alone, and the
          // runner gets to renew its locks.
          yield* Effect.yieldNow
        }
      })
    yield* Effect.forEach(
      Array.from({ length: callers }, (_, first) => first),
      caller,
      {
        concurrency: "unbounded",
        discard: true
      }
    )
    const { user, system } = process.cpuUsage(cpuFrom)
    return {
      perSecond: (answers * 1000) / (performance.now() - from),
      cpuMicroseconds: (user + system) / answers
    }
  })
