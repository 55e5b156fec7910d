/** All objects in memory, one counter, and a window of changes for watches (INV-API-K1, INV-API-K2). */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Redacted from "effect/Redacted"
import type { KubernetesObject, ObjectEvent } from "./ClusterObjects.ts"
import * as ObjectDatabase from "./ObjectDatabase.ts"

export interface Change extends ObjectEvent {
  readonly resource: string
  readonly version: number
  /** What the object was before; tells a watch with a selector whether it knew it. */
  readonly previous: KubernetesObject | undefined
}

/** Changes kept for watches that resume; whoever asks for an older version gets 410. */
export const changesKept = 20_000

export interface Listing {
  readonly objects: ReadonlyArray<KubernetesObject>
  readonly version: number
}

/** Synchronous on purpose: one write is one turn of the event loop, so no two can interleave. */
export class ObjectStore extends Context.Service<
  ObjectStore,
  {
    readonly version: () => number
    /** A watch from below this version has missed changes. */
    readonly oldestVersion: () => number
    readonly get: (resource: string, key: string) => KubernetesObject | undefined
    readonly list: (resource: string) => Listing
    /** Stores under the next version, which the object is given. */
    readonly put: (resource: string, key: string, object: KubernetesObject) => KubernetesObject
    readonly remove: (resource: string, key: string) => KubernetesObject | undefined
    /** Every change after `version`, the past ones first. Ends by the returned function. */
    readonly subscribe: (
      resource: string | null,
      version: number,
      onChange: (change: Change) => void
    ) => () => void
  }
>()("@starform/launchpad/kubernetes/ObjectStore") {}

/** Key of an object among its kind. */
export const keyOf = (namespace: string | undefined, name: string): string =>
  namespace === undefined ? name : `${namespace}/${name}`

const make = (database: ObjectDatabase.ObjectDatabase): ObjectStore["Service"] => {
  const kinds = new Map<string, Map<string, KubernetesObject>>()
  const listeners = new Set<{
    readonly resource: string | null
    readonly onChange: (change: Change) => void
  }>()
  let version = database.resourceVersion
  let oldest = version
  let window: Array<Change> = []

  const ofKind = (resource: string) => {
    const known = kinds.get(resource)
    if (known !== undefined) return known
    const fresh = new Map<string, KubernetesObject>()
    kinds.set(resource, fresh)
    return fresh
  }

  for (const { resource, object } of database.objects) {
    ofKind(resource).set(keyOf(object.metadata.namespace, object.metadata.name), object)
  }

  const publish = (change: Change) => {
    window.push(change)
    if (window.length > changesKept * 2) {
      window = window.slice(-changesKept)
      oldest = (window[0]?.version ?? version) - 1
    }
    for (const { resource, onChange } of listeners) {
      if (resource === null || resource === change.resource) onChange(change)
    }
  }

  const stamped = (object: KubernetesObject, at: number): KubernetesObject => ({
    ...object,
    metadata: { ...object.metadata, resourceVersion: String(at) }
  })

  return {
    version: () => version,
    oldestVersion: () => oldest,
    get: (resource, key) => ofKind(resource).get(key),
    list: (resource) => ({ objects: [...ofKind(resource).values()], version }),
    put: (resource, key, object) => {
      const next = version + 1
      const stored = stamped(object, next)
      database.put(resource, key, stored, next)
      version = next
      const previous = ofKind(resource).get(key)
      ofKind(resource).set(key, stored)
      const type = previous === undefined ? "ADDED" : "MODIFIED"
      publish({ resource, type, object: stored, version, previous })
      return stored
    },
    remove: (resource, key) => {
      const previous = ofKind(resource).get(key)
      if (previous === undefined) return undefined
      const next = version + 1
      database.remove(resource, key, next)
      version = next
      ofKind(resource).delete(key)
      const object = stamped(previous, version)
      publish({ resource, type: "DELETED", object, version, previous })
      return object
    },
    subscribe: (resource, from, onChange) => {
      for (const change of window) {
        if (change.version > from && (resource === null || change.resource === resource)) onChange(change)
      }
      const listener = { resource, onChange }
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
}

/** A queue of changes for one watcher, ended by its scope. */
export const changesFrom = Effect.fnUntraced(function* (
  store: ObjectStore["Service"],
  resource: string,
  version: number
) {
  const queue = yield* Queue.unbounded<Change>()
  yield* Effect.acquireRelease(
    Effect.sync(() => store.subscribe(resource, version, (change) => Queue.offerUnsafe(queue, change))),
    (unsubscribe) => Effect.sync(unsubscribe)
  )
  return queue
})

export const layer = (options: {
  readonly directory: string
  readonly secretKey: Redacted.Redacted<string>
}): Layer.Layer<ObjectStore, ObjectDatabase.ObjectDatabaseUnusable> =>
  Layer.effect(ObjectStore, Effect.map(ObjectDatabase.make(options.directory, options.secretKey), make))

export const layerMemory: Layer.Layer<ObjectStore> = Layer.sync(ObjectStore, () =>
  make(ObjectDatabase.memory)
)
