/** Everything of ours that the cluster shows, kept up to date by one loop per kind. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import { informerErrors, informerLastEvent } from "../health/ShuttleMetrics.ts"
import { logFailure } from "../pacing/LogFailure.ts"
import { managedSelector } from "../manifests/ShuttleLabels.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { KubernetesClient } from "./KubernetesClient.ts"
import { namespaceOf, ObjectIndex } from "./ObjectIndex.ts"
import type { ObservedObject } from "./ObservedObject.ts"
import { pluralOf, type ResourceKind, watchedKinds } from "./ResourceKind.ts"
import * as WatchedResource from "./WatchedResource.ts"

/** That something about a project's objects changed; what, is to be looked up. */
export interface CacheChange {
  readonly namespace: string
  readonly kind: ResourceKind
}

export class ClusterCache extends Context.Service<
  ClusterCache,
  {
    readonly index: ObjectIndex
    /** Waits for the first complete list of every kind. */
    readonly synced: Effect.Effect<void>
    readonly isSynced: Effect.Effect<boolean>
    /** When the server last said something of a kind, a bookmark or a list included; milliseconds since 1970, 0 before. */
    readonly heardAtMs: (kind: ResourceKind) => number
    /** Every change from the subscription on. */
    readonly changes: Stream.Stream<CacheChange>
    /** Puts the answer to a write of ours into the index, so that the next look sees it. */
    readonly record: (object: ObservedObject) => Effect.Effect<void>
  }
>()("@starform/shuttle/kubernetes/ClusterCache") {}

const make = Effect.gen(function* () {
  const settings = yield* ShuttleConfig
  const client = yield* KubernetesClient
  const index = new ObjectIndex()
  const synced = yield* Latch.make()
  const pending = new Set<ResourceKind>(watchedKinds)
  const heardAt = new Map<ResourceKind, number>()
  const hub = yield* PubSub.unbounded<CacheChange>()

  const announce = (object: ObservedObject) =>
    Effect.asVoid(PubSub.publish(hub, { namespace: namespaceOf(object), kind: object.kind }))

  const loop = (kind: ResourceKind) => {
    const resource = pluralOf(kind)
    return WatchedResource.run({
      kind,
      labelSelector: managedSelector,
      client,
      index,
      settings,
      onChange: announce,
      onSynced: Effect.suspend(() => {
        pending.delete(kind)
        return pending.size === 0 ? Effect.asVoid(Latch.open(synced)) : Effect.void
      }),
      onContact: Effect.flatMap(Clock.currentTimeMillis, (now) => {
        heardAt.set(kind, now)
        return Metric.update(informerLastEvent(resource), Math.floor(now / 1000))
      }),
      onError: (error, failuresBefore) =>
        Effect.andThen(
          Metric.update(informerErrors(resource), 1),
          error._tag === "VersionExpired"
            ? Effect.logDebug("The version to watch from is gone; listing again", { kind })
            : logFailure(failuresBefore)("Watch failed; opening it again", { kind, error: error.message })
        )
    })
  }

  yield* Effect.forEach(watchedKinds, (kind) => Effect.forkScoped(loop(kind)), { discard: true })
  return ClusterCache.of({
    index,
    synced: synced.await,
    isSynced: Effect.sync(() => Latch.isOpen(synced)),
    heardAtMs: (kind) => heardAt.get(kind) ?? 0,
    changes: Stream.fromPubSub(hub),
    record: (object) => Effect.suspend(() => (index.put(object) ? announce(object) : Effect.void))
  })
})

export const layer: Layer.Layer<ClusterCache, never, ShuttleConfig | KubernetesClient> =
  Layer.effect(ClusterCache)(make)
