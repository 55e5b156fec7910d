/** Says how full the cluster is: a count each `capacityInterval`, of every pod, whoever made it. Only the newest matters. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { capacityReportsSent } from "../health/ShuttleMetrics.ts"
import { KubernetesClient } from "../kubernetes/KubernetesClient.ts"
import { everyInterval } from "../pacing/EveryInterval.ts"
import { jitteredPause } from "../pacing/JitteredPause.ts"
import { logFailure } from "../pacing/LogFailure.ts"
import { ifLeading, Tenure } from "../leadership/Tenure.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { StarbaseClient } from "../starbase/StarbaseClient.ts"

export class CapacityReporter extends Context.Service<
  CapacityReporter,
  {
    /** When Starbase acknowledged a count last; milliseconds since 1970, `null` before the first. */
    readonly acknowledgedAtMs: Effect.Effect<number | null>
  }
>()("@starform/shuttle/reports/CapacityReporter") {}

const make = Effect.gen(function* () {
  const settings = yield* ShuttleConfig
  const client = yield* KubernetesClient
  const starbase = yield* StarbaseClient
  const tenure = yield* Tenure
  let acknowledgedAtMs: number | null = null

  const report = Effect.gen(function* () {
    const currentPodCount = yield* client.podCount
    const nowMs = yield* Clock.currentTimeMillis
    yield* starbase.reportCapacity({
      clusterId: settings.clusterId,
      currentPodCount,
      softLimit: settings.capacitySoftLimit,
      timestamp: DateTime.formatIso(DateTime.makeUnsafe(nowMs))
    })
    acknowledgedAtMs = nowMs
    yield* Metric.update(capacityReportsSent, 1)
  })

  const attempt = (failuresBefore: number): Effect.Effect<boolean> =>
    report.pipe(
      Effect.as(true),
      Effect.catch((error) =>
        Effect.gen(function* () {
          yield* logFailure(failuresBefore)("The cluster's capacity was not acknowledged", {
            problem: error.message
          })
          const { starbaseRetryFirst, starbaseRetryMax } = settings
          yield* Effect.sleep(yield* jitteredPause(starbaseRetryFirst, starbaseRetryMax, failuresBefore + 1))
          return false
        })
      )
    )

  /** Counted anew for each attempt. A loop: one that called itself would grow for as long as Starbase is away. */
  const insist = Effect.fnUntraced(function* (failuresBefore: number) {
    let failures = failuresBefore
    while (!(yield* attempt(failures))) failures += 1
  })

  yield* everyInterval(settings.capacityInterval, ifLeading(tenure, insist(0))).pipe(
    tenure.whileLeading,
    Effect.forkScoped
  )
  return CapacityReporter.of({ acknowledgedAtMs: Effect.sync(() => acknowledgedAtMs) })
})

export const layer: Layer.Layer<
  CapacityReporter,
  never,
  ShuttleConfig | KubernetesClient | StarbaseClient | Tenure
> = Layer.effect(CapacityReporter)(make)
