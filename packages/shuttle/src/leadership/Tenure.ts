/**
 * Whether this agent leads. Who writes to the cluster asks before each write, and runs what belongs to the leader inside
 * `whileLeading`. Without election every agent leads, and nothing here costs anything. README has the theory.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { leads } from "../health/ShuttleMetrics.ts"

export class Tenure extends Context.Service<
  Tenure,
  {
    /** False for an agent that is alone by its settings. */
    readonly isElected: boolean
    /** Whether a write may be sent at this very moment. */
    readonly mayWrite: () => boolean
    /** Until another agent may lead at the earliest; what was sent is given up by then. Infinite without election. */
    readonly left: () => Duration.Duration
    /**
     * Runs it in each term of this agent, from its beginning, and interrupts it at the term's end. A new term waits for the
     * end of what the one before left. Never returns.
     */
    readonly whileLeading: <R>(work: Effect.Effect<unknown, never, R>) => Effect.Effect<never, never, R>
    /** Whether it could take over: the Lease was read or made once. */
    readonly isAble: Effect.Effect<boolean>
  }
>()("@starform/shuttle/leadership/Tenure") {}

/** Skipped by who does not lead at that moment: a loop that wakes late is interrupted only after its turn has begun. */
export const ifLeading = <A, E, R>(
  tenure: Tenure["Service"],
  turn: Effect.Effect<A, E, R>
): Effect.Effect<void, E, R> => Effect.suspend(() => (tenure.mayWrite() ? Effect.asVoid(turn) : Effect.void))

/** Of an agent that is alone. */
export const layerAlone: Layer.Layer<Tenure> = Layer.effect(Tenure)(
  Effect.as(
    Metric.update(leads, 1),
    Tenure.of({
      isElected: false,
      mayWrite: () => true,
      left: () => Duration.infinity,
      whileLeading: (work) => Effect.andThen(work, Effect.never),
      isAble: Effect.succeed(true)
    })
  )
)
