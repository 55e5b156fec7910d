/** One build, from its place in the queue to its outcome. Who may ask for it and hears of it: `HostBuilder`. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import {
  BuildCancelled,
  BuildFailed,
  type BuilderUnavailable,
  type BuildUnknown,
  type WorkspaceQueueFull
} from "@starform/starbase/builds/BuildErrors"
import { BuildLog, type BuildLogWriter } from "@starform/starbase/builds/BuildLog"
import { BuildQueue, type QueuePlace } from "@starform/starbase/builds/BuildQueue"
import type { BuildStatus, BuildStep } from "@starform/starbase/builds/BuildService"
import type { BuildResult, BuildSpec } from "@starform/starbase/builds/BuildSpec"
import { BuildOutcomes, outcomeOf, resultOf } from "./BuildOutcomes.ts"
import { BuildUsers } from "./BuildUsers.ts"
import { makeBuildWorkspace } from "./BuildWorkspace.ts"
import { diskRunsLow } from "./DiskWatch.ts"
import { runHostBuild } from "./HostBuild.ts"
import { diskFullWords } from "./StepFailures.ts"

export type BuildEnd = BuildFailed | BuildCancelled | BuilderUnavailable

export interface ActiveBuild {
  /** Completes when the build has its place in the queue, or an outcome. */
  readonly accepted: Deferred.Deferred<void, WorkspaceQueueFull | BuilderUnavailable>
  readonly status: SubscriptionRef.SubscriptionRef<BuildStatus>
  readonly cancelled: Deferred.Deferred<void>
  /** Completes after the outcome is kept and nothing of the build runs. Unknown when it got no place. */
  readonly ended: Deferred.Deferred<BuildResult, BuildEnd | BuildUnknown>
}

/** Whether a build ended in a way that its author hears, rather than by a fault or a stop of ours. */
const isOutcome = (cause: Cause.Cause<{ readonly _tag: string }>): boolean =>
  Option.match(Cause.findErrorOption(cause), {
    onNone: () => false,
    onSome: ({ _tag }) => _tag === "BuildFailed" || _tag === "BuildCancelled"
  })

/** Completes when the build may run; tells its place in the queue until then. */
const waitForTurn = ({ positions }: QueuePlace, { status, accepted }: ActiveBuild, log: BuildLogWriter) =>
  Stream.runForEach(positions, (position) =>
    Effect.andThen(
      position === 0
        ? Effect.void
        : Effect.andThen(
            SubscriptionRef.set(status, { _tag: "Queued", position }),
            log.write("notice", `waiting for a builder: number ${position} in line`)
          ),
      Deferred.succeed(accepted, undefined)
    )
  )

/** In a workspace of its own, which is gone when this ends. */
const build = Effect.fnUntraced(function* (spec: BuildSpec, active: ActiveBuild, log: BuildLogWriter) {
  const seat = yield* (yield* BuildUsers).seat(spec.workspaceId)
  const workspace = yield* makeBuildWorkspace(spec.buildId, seat, log)
  const onStep = (step: BuildStep) =>
    Effect.flatMap(Clock.currentTimeMillis, (sinceMs) =>
      SubscriptionRef.set(active.status, { _tag: "Running", step, sinceMs })
    )
  return yield* Effect.raceFirst(runHostBuild({ spec, workspace, log, onStep }), diskRunsLow)
}, Effect.scoped)

const carryOut = Effect.fnUntraced(function* (spec: BuildSpec, active: ActiveBuild) {
  const { buildId, workspaceId } = spec
  const submittedAtMs = yield* Clock.currentTimeMillis
  const place = yield* (yield* BuildQueue).enter({ buildId, workspaceId })
  const log = yield* (yield* BuildLog).writer(buildId)
  const outcomes = yield* BuildOutcomes

  const inTurn = Effect.gen(function* () {
    yield* waitForTurn(place, active, log)
    const startedAtMs = yield* Clock.currentTimeMillis
    const { durations, ...product } = yield* build(spec, active, log)
    const totalMs = (yield* Clock.currentTimeMillis) - submittedAtMs
    return { ...product, durations: { ...durations, queuedMs: startedAtMs - submittedAtMs, totalMs } }
  }).pipe(
    Effect.catchTag("DiskFull", () => Effect.fail(new BuildFailed({ buildId, ...diskFullWords, output: [] })))
  )
  const cancellation = Effect.andThen(Deferred.await(active.cancelled), new BuildCancelled({ buildId }))

  return yield* Effect.raceFirst(inTurn, cancellation).pipe(
    Effect.tap((result) =>
      Effect.andThen(
        outcomes.keep(buildId, { _tag: "Succeeded", result }),
        log.write("notice", `image ${result.digest}`)
      )
    ),
    Effect.tapErrorTag(["BuildFailed", "BuildCancelled"], (end) =>
      outcomes.keep(buildId, outcomeOf(end)).pipe(
        Effect.catch((error) => Effect.logWarning(`build ${buildId}: outcome told but not kept`, error)),
        Effect.andThen(
          log.write("warning", end._tag === "BuildFailed" ? end.reason : "the build was cancelled")
        )
      )
    ),
    Effect.onExit((exit) => {
      const isOver = Exit.isSuccess(exit) || isOutcome(exit.cause)
      const end = Effect.catch(log.end, (error) =>
        Effect.logWarning(`build ${buildId}: the end of its log is missing`, error)
      )
      return isOver ? end : Effect.void
    })
  )
}, Effect.scoped)

/** Builds, unless the build has an outcome already: then that is its end (INV-HBL-6). */
export const courseOf = Effect.fn("BuildCourse.courseOf")(function* (spec: BuildSpec, active: ActiveBuild) {
  const known = yield* (yield* BuildOutcomes).find(spec.buildId)
  return yield* Option.match(known, {
    onNone: () => carryOut(spec, active),
    onSome: (outcome) => resultOf(spec.buildId, outcome)
  })
})
