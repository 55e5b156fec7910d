/** Numbers of what agents report of pods. */
import { classOf, type Reaction } from "@starform/domain/errors/Reaction"
import type { SnapshotReceipt } from "@starform/domain/observed/PodSnapshot"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { capacityReports, snapshotBatches, snapshots } from "./StarbaseMetrics.ts"

const counted =
  (reports: typeof snapshotBatches) =>
  <A, E extends object, R>(report: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    report.pipe(
      Effect.tapError((error) => {
        const outcome = "reaction" in error ? classOf(error.reaction as Reaction) : "terminal"
        return Metric.update(reports({ outcome }), 1)
      }),
      Effect.tap(() => Metric.update(reports({ outcome: "ok" }), 1))
    )

export const batchTaken = counted(snapshotBatches)

export const capacityTaken = counted(capacityReports)

export const received = ({ refused, repeated, stored }: SnapshotReceipt): Effect.Effect<void> =>
  Effect.forEach(
    Object.entries({ stored, repeated, refused }).filter(([, count]) => count > 0),
    ([outcome, count]) => Metric.update(snapshots({ outcome }), count),
    { discard: true }
  )
