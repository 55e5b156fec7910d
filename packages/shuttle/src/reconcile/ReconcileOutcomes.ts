/** The latest outcome of each app's attempts, written by the reconciler and read by the reports. Memory only. */
import type { AppId } from "@starform/domain/ids/AppId"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type { AppOutcome } from "./AppOutcome.ts"

export class ReconcileOutcomes extends Context.Service<
  ReconcileOutcomes,
  {
    readonly get: (appId: AppId) => AppOutcome | undefined
    /**
     * Replaces the outcomes of the apps that are named. A deploy that was applied once stays so while a repair of it is
     * being retried.
     */
    readonly put: (outcomes: ReadonlyArray<AppOutcome>) => Effect.Effect<void>
    /** Forgets every app that is not named. */
    readonly keep: (appIds: ReadonlySet<AppId>) => Effect.Effect<void>
    /** Apps whose outcome changed, from the subscription on. */
    readonly changes: Stream.Stream<ReadonlyArray<AppId>>
  }
>()("@starform/shuttle/reconcile/ReconcileOutcomes") {}

const isNews = (known: AppOutcome | undefined, outcome: AppOutcome): boolean => {
  const isRetryOfApplied =
    known?._tag === "Applied" && outcome._tag === "Retrying" && known.ordinal === outcome.ordinal
  return !isRetryOfApplied && !Equal.equals(known, outcome)
}

export const layer: Layer.Layer<ReconcileOutcomes> = Layer.effect(ReconcileOutcomes)(
  Effect.gen(function* () {
    const known = new Map<AppId, AppOutcome>()
    const hub = yield* PubSub.unbounded<ReadonlyArray<AppId>>()
    return ReconcileOutcomes.of({
      get: (appId) => known.get(appId),
      put: (outcomes) =>
        Effect.suspend(() => {
          const news = outcomes.filter((outcome) => isNews(known.get(outcome.appId), outcome))
          for (const outcome of news) known.set(outcome.appId, outcome)
          const changed = news.map(({ appId }) => appId)
          return news.length === 0 ? Effect.void : Effect.asVoid(PubSub.publish(hub, changed))
        }),
      keep: (appIds) =>
        Effect.sync(() => {
          for (const appId of known.keys()) if (!appIds.has(appId)) known.delete(appId)
        }),
      changes: Stream.fromPubSub(hub)
    })
  })
)
