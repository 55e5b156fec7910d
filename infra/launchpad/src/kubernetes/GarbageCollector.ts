/** What follows from a deletion: owned objects go after their owner, a namespace after its contents (INV-API-K6). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type { KubernetesObject } from "./ClusterObjects.ts"
import { foregroundFinalizer, ownedBy, remove } from "./ObjectDeletion.ts"
import { type Change, keyOf, ObjectStore } from "./ObjectStore.ts"
import * as ResourceTypes from "./ResourceTypes.ts"

type Store = ObjectStore["Service"]

const background = (nowMs: number) => ({ propagation: "Background", dryRun: false, nowMs }) as const

/** Removes what a gone (or foreground-deleted) owner owns, unless another owner lives. */
const collectOwned = (store: Store, uid: string, nowMs: number): void => {
  for (const { type, object } of ownedBy(store, uid)) {
    const hasOtherOwner = (object.metadata.ownerReferences ?? []).some(
      (owner) => owner.uid !== uid && isAlive(store, owner.uid)
    )
    if (hasOtherOwner) continue
    const { namespace, name } = object.metadata
    remove(store, { type, namespace, name }, background(nowMs))
  }
}

const isAlive = (store: Store, uid: string): boolean =>
  ResourceTypes.all.some((type) =>
    store.list(type.resource).objects.some((object) => object.metadata.uid === uid)
  )

/** An owner that waited for what it owned loses its finalizer, and with the last one itself. */
const releaseOwners = (store: Store, gone: KubernetesObject): void => {
  for (const owner of gone.metadata.ownerReferences ?? []) {
    for (const type of ResourceTypes.all) {
      if (type.kind !== owner.kind) continue
      const key = keyOf(type.namespaced ? gone.metadata.namespace : undefined, owner.name)
      const object = store.get(type.resource, key)
      const finalizers = object?.metadata.finalizers ?? []
      if (object?.metadata.uid !== owner.uid || !finalizers.includes(foregroundFinalizer)) continue
      if (ownedBy(store, owner.uid).length > 0) continue
      const rest = finalizers.filter((name) => name !== foregroundFinalizer)
      if (rest.length === 0) store.remove(type.resource, key)
      else store.put(type.resource, key, { ...object, metadata: { ...object.metadata, finalizers: rest } })
    }
  }
}

const contentsOf = (store: Store, namespace: string) =>
  ResourceTypes.all
    .filter((type) => type.namespaced)
    .flatMap((type) =>
      store
        .list(type.resource)
        .objects.filter((object) => object.metadata.namespace === namespace)
        .map((object) => ({ type, object }))
    )

/** Empties a namespace that is on its way out, and removes it once it is empty. */
const drainNamespace = (store: Store, namespace: string, nowMs: number): void => {
  const owner = store.get("namespaces", namespace)
  if (owner?.metadata.deletionTimestamp === undefined) return
  for (const { type, object } of contentsOf(store, namespace)) {
    if (object.metadata.deletionTimestamp !== undefined) continue
    remove(store, { type, namespace, name: object.metadata.name }, background(nowMs))
  }
  if (contentsOf(store, namespace).length === 0) store.remove("namespaces", namespace)
}

const follow = (store: Store, change: Change, nowMs: number): void => {
  const { object } = change
  if (change.type === "DELETED") {
    collectOwned(store, object.metadata.uid, nowMs)
    releaseOwners(store, object)
    if (object.metadata.namespace !== undefined) drainNamespace(store, object.metadata.namespace, nowMs)
    return
  }
  if (object.metadata.deletionTimestamp === undefined) return
  if (change.resource === "namespaces") drainNamespace(store, object.metadata.name, nowMs)
  if ((object.metadata.finalizers ?? []).includes(foregroundFinalizer)) {
    collectOwned(store, object.metadata.uid, nowMs)
    const isOwnerStill = store.get(change.resource, keyOf(object.metadata.namespace, object.metadata.name))
    if (isOwnerStill !== undefined && ownedBy(store, object.metadata.uid).length === 0) {
      const finalizers = (object.metadata.finalizers ?? []).filter((name) => name !== foregroundFinalizer)
      const key = keyOf(object.metadata.namespace, object.metadata.name)
      if (finalizers.length === 0) store.remove(change.resource, key)
    }
  }
}

/** Runs for as long as its scope; at its start it finishes what a crash left half done. */
export const layer: Layer.Layer<never, never, ObjectStore> = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* ObjectStore
    const changes = yield* Queue.unbounded<Change>()
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        store.subscribe(null, store.version(), (change) => Queue.offerUnsafe(changes, change))
      ),
      (unsubscribe) => Effect.sync(unsubscribe)
    )
    const startMs = yield* Clock.currentTimeMillis
    for (const { metadata } of store.list("namespaces").objects) {
      drainNamespace(store, metadata.name, startMs)
    }
    yield* Queue.take(changes).pipe(
      Effect.flatMap((change) =>
        Effect.map(Clock.currentTimeMillis, (nowMs) => follow(store, change, nowMs))
      ),
      Effect.forever,
      Effect.forkScoped
    )
  })
)
