/** The queue of one builder: `BuildSchedule` with places that can be waited for. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { buildsQueued, buildsRunning } from "../metrics/StarbaseMetrics.ts"
import type { WorkspaceQueueFull } from "./BuildErrors.ts"
import * as BuildSchedule from "./BuildSchedule.ts"

export const defaults: BuildSchedule.ScheduleLimits = {
  runningMax: 2,
  runningPerWorkspaceMax: 1,
  waitingPerWorkspaceMax: 20
}

/** A build's place, held until the scope in which it was taken closes. */
export interface QueuePlace {
  /** Completes when the build may run. */
  readonly turn: Effect.Effect<void>
  /** The present position, then every change; 0 is running, and the end. */
  readonly positions: Stream.Stream<number>
}

export class BuildQueue extends Context.Service<
  BuildQueue,
  {
    /** Takes a place at once or is refused. A build id must not have two places. */
    readonly enter: (
      build: BuildSchedule.ScheduledBuild
    ) => Effect.Effect<QueuePlace, WorkspaceQueueFull, Scope.Scope>
  }
>()("@starform/starbase/builds/BuildQueue") {}

const make = Effect.fnUntraced(function* (limits: BuildSchedule.ScheduleLimits) {
  const schedule = yield* SubscriptionRef.make(BuildSchedule.empty)

  const counted = Effect.flatMap(SubscriptionRef.get(schedule), ({ running, waiting }) =>
    Effect.andThen(Metric.update(buildsRunning, running.length), Metric.update(buildsQueued, waiting.length))
  )
  yield* counted

  const enter: BuildQueue["Service"]["enter"] = Effect.fnUntraced(function* (build) {
    const { buildId } = build
    yield* Effect.acquireRelease(
      SubscriptionRef.modifyEffect(schedule, (present) =>
        Effect.fromResult(
          Result.map(BuildSchedule.enter(present, build, limits), (after) => [undefined, after] as const)
        )
      ).pipe(Effect.tap(counted)),
      () =>
        Effect.andThen(
          SubscriptionRef.update(schedule, (present) => BuildSchedule.leave(present, buildId, limits)),
          counted
        )
    )
    const positions = SubscriptionRef.changes(schedule).pipe(
      Stream.map((present) => BuildSchedule.position(present, buildId, limits) ?? 0),
      Stream.changes,
      Stream.takeUntil((position) => position === 0)
    )
    return { turn: Stream.runDrain(positions), positions }
  })

  return { enter }
})

export const layer = (limits: Partial<BuildSchedule.ScheduleLimits> = {}): Layer.Layer<BuildQueue> =>
  Layer.effect(BuildQueue, make({ ...defaults, ...limits }))
