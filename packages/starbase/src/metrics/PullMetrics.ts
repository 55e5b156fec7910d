/** Numbers of the agents' door. */
import { classOf, type Reaction } from "@starform/domain/errors/Reaction"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { pulls, pullsParked, reports } from "./StarbaseMetrics.ts"

const answers = { Unchanged: "not_modified", Full: "full", Delta: "delta" } as const

/** Counts a pull among those that wait for as long as it does. */
export const parked =
  (isWaiting: boolean) =>
  <A, E, R>(pull: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    isWaiting
      ? Effect.acquireUseRelease(
          Metric.modify(pullsParked, 1),
          () => pull,
          () => Metric.modify(pullsParked, -1)
        )
      : pull

export const answered = (answer: keyof typeof answers): Effect.Effect<void> =>
  Metric.update(pulls({ answer: answers[answer] }), 1)

const outcomeOf = (error: object): string =>
  "reaction" in error ? classOf(error.reaction as Reaction) : "terminal"

/** Counts pulls that were answered with an error, by its class. */
export const refused = <A, E extends object, R>(pull: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.tapError(pull, (error) => Metric.update(pulls({ answer: outcomeOf(error) }), 1))

/** Counts reports by how they were taken. */
export const reported = <A, E extends object, R>(report: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  report.pipe(
    Effect.tapError((error) => Metric.update(reports({ outcome: outcomeOf(error) }), 1)),
    Effect.tap(() => Metric.update(reports({ outcome: "ok" }), 1))
  )
