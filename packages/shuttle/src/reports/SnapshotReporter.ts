/**
 * Says which pods exist: a sweep each `snapshotInterval` onto the disk, and from there to Starbase, oldest first, each
 * segment until it is acknowledged. The two are loops of their own: Starbase being away stops no sweep. Only who leads sweeps;
 * what an agent has swept it sends, whoever leads by then.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import {
  snapshotsDropped,
  snapshotsFailed,
  snapshotsSent,
  snapshotSweepsSkipped
} from "../health/ShuttleMetrics.ts"
import { ClusterCache } from "../kubernetes/ClusterCache.ts"
import { everyInterval } from "../pacing/EveryInterval.ts"
import { jitteredPause } from "../pacing/JitteredPause.ts"
import { logFailure } from "../pacing/LogFailure.ts"
import { ifLeading, Tenure } from "../leadership/Tenure.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { StarbaseClient } from "../starbase/StarbaseClient.ts"
import { type Segment, SnapshotBuffer } from "../storage/SnapshotBuffer.ts"
import { podSnapshots } from "./PodSnapshots.ts"

/** The answer to a body that is not understood, and never will be. */
const notUnderstood = 422

export class SnapshotReporter extends Context.Service<
  SnapshotReporter,
  {
    /** When Starbase acknowledged a segment last; milliseconds since 1970, `null` before the first. */
    readonly acknowledgedAtMs: Effect.Effect<number | null>
  }
>()("@starform/shuttle/reports/SnapshotReporter") {}

const make = Effect.gen(function* () {
  const settings = yield* ShuttleConfig
  const cache = yield* ClusterCache
  const starbase = yield* StarbaseClient
  const buffer = yield* SnapshotBuffer
  const tenure = yield* Tenure
  const filled = yield* Latch.make(true)
  let acknowledgedAtMs: number | null = null
  let failures = 0

  /** A watch that has been silent for longer shows pods that may be long gone: nobody is charged for those. */
  const silenceMaxMs = Duration.toMillis(Duration.sum(settings.watchIdle, settings.watchRetryMax))

  const sweep = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    if (nowMs - cache.heardAtMs("Pod") > silenceMaxMs) {
      yield* Metric.update(snapshotSweepsSkipped, 1)
      yield* Effect.logWarning("No snapshots: the cluster has said nothing of its pods for too long")
      return
    }
    const snapshots = podSnapshots(cache.index, settings.clusterId, nowMs)
    yield* buffer.append(snapshots)
    yield* Latch.open(filled)
  }).pipe(Effect.withSpan("SnapshotReporter.sweep"))

  const giveUp = Effect.fnUntraced(function* (segment: Segment, problem: string) {
    yield* Effect.logError("Snapshots are given up", { snapshots: segment.count, problem })
    yield* Metric.update(snapshotsDropped, segment.count)
    yield* buffer.remove(segment)
  })

  const send = Effect.fnUntraced(function* (segment: Segment) {
    const snapshots = yield* buffer.read(segment)
    const receipt = yield* starbase.sendSnapshots({ snapshots })
    failures = 0
    acknowledgedAtMs = yield* Clock.currentTimeMillis
    yield* buffer.remove(segment)
    yield* Metric.update(snapshotsSent, segment.count)
    if (Option.isSome(receipt) && receipt.value.refused > 0) {
      yield* Effect.logWarning("Starbase refused snapshots", { snapshots: receipt.value.refused })
    }
  })

  const later = Effect.fnUntraced(function* (segment: Segment, problem: string) {
    yield* logFailure(failures)("Snapshots were not acknowledged; they are kept", { problem })
    failures += 1
    yield* Metric.update(snapshotsFailed, segment.count)
    yield* Effect.sleep(
      yield* jitteredPause(settings.starbaseRetryFirst, settings.starbaseRetryMax, failures)
    )
  })

  const drain = Effect.gen(function* () {
    const oldest = yield* buffer.oldest
    if (Option.isNone(oldest)) {
      yield* Latch.close(filled)
      return yield* filled.await
    }
    const segment = oldest.value
    yield* send(segment).pipe(
      Effect.catchTags({
        StateFileUnusable: (error) => giveUp(segment, error.message),
        StateNotOpened: (error) => giveUp(segment, error.message)
      }),
      Effect.catch((error) =>
        error._tag === "StarbaseRefused" && error.status === notUnderstood
          ? giveUp(segment, error.message)
          : later(segment, error.message)
      )
    )
  })

  yield* cache.synced.pipe(
    Effect.andThen(everyInterval(settings.snapshotInterval, ifLeading(tenure, sweep))),
    tenure.whileLeading,
    Effect.forkScoped
  )
  yield* Effect.forkScoped(Effect.forever(drain))
  return SnapshotReporter.of({ acknowledgedAtMs: Effect.sync(() => acknowledgedAtMs) })
})

export const layer: Layer.Layer<
  SnapshotReporter,
  never,
  ShuttleConfig | ClusterCache | StarbaseClient | SnapshotBuffer | Tenure
> = Layer.effect(SnapshotReporter)(make)
