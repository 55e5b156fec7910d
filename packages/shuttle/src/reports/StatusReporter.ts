/**
 * Tells Starbase what is seen: each change soon, everything every `reconcileInterval`. Each term of this agent begins with
 * everything: another one may have reported meanwhile.
 */
import type { AppId } from "@starform/domain/ids/AppId"
import type { ObservedApp } from "@starform/domain/observed/ObservedApp"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import { reportsFailed, reportsSent } from "../health/ShuttleMetrics.ts"
import { ClusterCache } from "../kubernetes/ClusterCache.ts"
import { KubernetesClient } from "../kubernetes/KubernetesClient.ts"
import type { ResourceKind } from "../kubernetes/ResourceKind.ts"
import { jitteredPause } from "../pacing/JitteredPause.ts"
import { logFailure } from "../pacing/LogFailure.ts"
import { ReconcileOutcomes } from "../reconcile/ReconcileOutcomes.ts"
import { ifLeading, Tenure } from "../leadership/Tenure.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import type { HeldDocument } from "../starbase/DesiredDocument.ts"
import { DesiredStateHolder } from "../starbase/DesiredStateHolder.ts"
import { StarbaseClient } from "../starbase/StarbaseClient.ts"
import { reported } from "../tracing/AgentHops.ts"
import { agentVersion } from "./AgentVersion.ts"
import { FailureOutput } from "./FailureOutput.ts"
import { observedStatus } from "./ObservedStatus.ts"
import { removalStatus, type Seen, unreadableStatus } from "./Seen.ts"
import { withRoom } from "./ReportRoom.ts"

export class StatusReporter extends Context.Service<
  StatusReporter,
  {
    /** When Starbase acknowledged a report last; milliseconds since 1970, `null` before the first. */
    readonly acknowledgedAtMs: Effect.Effect<number | null>
  }
>()("@starform/shuttle/reports/StatusReporter") {}

const telling = new Set<ResourceKind>(["Deployment", "CronJob", "ReplicaSet", "Job", "Pod"])

/** @param onAcknowledged with the time of what was reported */
const term = Effect.fnUntraced(function* (onAcknowledged: (atMs: number) => void) {
  const settings = yield* ShuttleConfig
  const client = yield* KubernetesClient
  const cache = yield* ClusterCache
  const holder = yield* DesiredStateHolder
  const outcomes = yield* ReconcileOutcomes
  const starbase = yield* StarbaseClient
  const tenure = yield* Tenure
  const output = new FailureOutput(client, settings)
  const wake = yield* Latch.make()
  /** As Starbase acknowledged it. */
  const acknowledged = new Map<AppId, ObservedApp>()
  const dirtyNamespaces = new Set<string>()
  const dirtyApps = new Set<AppId>()
  /** Apps whose status time alone may change. */
  const ticking = new Set<AppId>()
  let isAllDirty = true
  let acknowledgedRevision: string | null = null
  let acknowledgedAtMs: number | null = null
  let completeDueAtMs = 0
  let sentAtMs = 0
  let failures = 0

  const look = Effect.fnUntraced(function* (document: HeldDocument, appId: AppId, nowMs: number) {
    const held = document.apps.get(appId)
    if (held === undefined) return null
    const objects = cache.index.inNamespace(held.app.namespace)
    const seen: Seen | null = observedStatus(held.app, objects, outcomes.get(appId), { ...settings, nowMs })
    if (seen?.isTicking === true) ticking.add(appId)
    else ticking.delete(appId)
    if (seen === null) return null
    const isTold = seen.failing !== null && seen.status.phase !== "progressing"
    return isTold ? { ...seen.status, output: yield* output.of(seen.failing) } : seen.status
  })

  const removals = (document: HeldDocument): ReadonlyArray<ObservedApp> =>
    document.tombstones.flatMap(({ appId, ordinal }) => removalStatus(outcomes.get(appId), ordinal))

  const duePart = (document: HeldDocument, isComplete: boolean): ReadonlyArray<AppId> => {
    const all = isComplete || isAllDirty
    return [...document.apps.values()]
      .filter(
        ({ app }) =>
          all || dirtyNamespaces.has(app.namespace) || dirtyApps.has(app.appId) || ticking.has(app.appId)
      )
      .map(({ app }) => app.appId)
  }

  const collect = Effect.fnUntraced(function* (document: HeldDocument, isComplete: boolean, nowMs: number) {
    const due = duePart(document, isComplete)
    isAllDirty = false
    dirtyNamespaces.clear()
    dirtyApps.clear()
    const seen = yield* Effect.forEach(due, (appId) => look(document, appId, nowMs), { concurrency: 8 })
    const unreadable = [...document.unreadable.values()].flatMap(unreadableStatus)
    const statuses = [...seen.filter((status) => status !== null), ...unreadable, ...removals(document)]
    return isComplete
      ? statuses
      : statuses.filter((status) => !Equal.equals(acknowledged.get(status.appId), status))
  })

  const forget = (document: HeldDocument) => {
    const named = new Set<string>([
      ...document.apps.keys(),
      ...document.unreadable.keys(),
      ...document.tombstones.map(({ appId }) => appId)
    ])
    for (const appId of acknowledged.keys()) if (!named.has(appId)) acknowledged.delete(appId)
    for (const appId of ticking) if (!named.has(appId)) ticking.delete(appId)
  }

  const turn = Effect.gen(function* () {
    const document = yield* holder.current
    const nowMs = yield* Clock.currentTimeMillis
    const isComplete = nowMs >= completeDueAtMs
    const apps = document === null ? [] : yield* collect(document, isComplete, nowMs)
    const revision = document?.revision ?? null
    if (!isComplete && apps.length === 0 && revision === acknowledgedRevision) return
    sentAtMs = nowMs
    yield* starbase.report({ revision, apps: withRoom(apps), complete: isComplete, agentVersion })
    yield* Metric.update(reportsSent, 1)
    failures = 0
    if (acknowledgedAtMs !== null) {
      yield* reported(acknowledged, apps, nowMs, yield* Clock.currentTimeMillis)
    }
    acknowledgedRevision = revision
    acknowledgedAtMs = nowMs
    onAcknowledged(nowMs)
    for (const status of apps) acknowledged.set(status.appId, status)
    if (document !== null) forget(document)
    if (isComplete) completeDueAtMs = nowMs + Duration.toMillis(settings.reconcileInterval)
  }).pipe(
    Effect.catch((error) =>
      Effect.gen(function* () {
        yield* logFailure(failures)("A report was not acknowledged", { problem: error.message })
        failures += 1
        isAllDirty = true
        yield* Metric.update(reportsFailed, 1)
        yield* Effect.sleep(
          yield* jitteredPause(settings.starbaseRetryFirst, settings.starbaseRetryMax, failures)
        )
      })
    )
  )

  /** Until something changes, a status may have ripened, or a complete report is due. */
  const rest = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const untilComplete = Math.max(0, completeDueAtMs - nowMs)
    const tick = Duration.toMillis(settings.statusTick)
    const pause = ticking.size > 0 ? Math.min(tick, untilComplete) : untilComplete
    const woken = yield* Effect.timeoutOption(wake.await, Duration.millis(pause))
    const sinceSent = (yield* Clock.currentTimeMillis) - sentAtMs
    const spacing = Duration.toMillis(settings.reportDebounce) - sinceSent
    if (woken._tag === "Some" && spacing > 0) yield* Effect.sleep(Duration.millis(spacing))
    yield* Latch.close(wake)
  })

  const rouse = <A>(changes: Stream.Stream<A>, note: (change: A) => boolean) =>
    changes.pipe(
      Stream.runForEach((change) =>
        Effect.suspend(() => (note(change) ? Effect.asVoid(Latch.open(wake)) : Effect.void))
      ),
      Effect.forkScoped
    )

  yield* rouse(cache.changes, ({ kind, namespace }) => {
    if (!telling.has(kind)) return false
    dirtyNamespaces.add(namespace)
    return true
  })
  yield* rouse(outcomes.changes, (appIds) => {
    for (const appId of appIds) dirtyApps.add(appId)
    return true
  })
  yield* rouse(holder.changes, () => {
    isAllDirty = true
    return true
  })
  yield* cache.synced
  return yield* Effect.forever(Effect.andThen(ifLeading(tenure, turn), rest))
})

const make = Effect.gen(function* () {
  const tenure = yield* Tenure
  let acknowledgedAtMs: number | null = null
  const report = term((atMs) => (acknowledgedAtMs = atMs))
  yield* Effect.forkScoped(tenure.whileLeading(Effect.scoped(report)))
  return StatusReporter.of({ acknowledgedAtMs: Effect.sync(() => acknowledgedAtMs) })
})

export const layer: Layer.Layer<
  StatusReporter,
  never,
  | ShuttleConfig
  | KubernetesClient
  | ClusterCache
  | DesiredStateHolder
  | ReconcileOutcomes
  | StarbaseClient
  | Tenure
> = Layer.effect(StatusReporter)(make)
