/** Deleting: grace for pods, finalizers, propagation to what is owned, and namespaces with their contents. */
import * as Result from "effect/Result"
import type { ApiStatus } from "./ApiStatus.ts"
import type { KubernetesObject } from "./ClusterObjects.ts"
import { isObject } from "./JsonValue.ts"
import type { ResourceType } from "./kinds/ResourceType.ts"
import { get, type Place, placeKey, timestamp } from "./ObjectOperations.ts"
import type { ObjectStore } from "./ObjectStore.ts"
import * as ResourceTypes from "./ResourceTypes.ts"
import * as Statuses from "./Statuses.ts"

type Store = ObjectStore["Service"]

export type Propagation = "Background" | "Foreground" | "Orphan"

export interface DeleteOptions {
  readonly uid?: string
  readonly resourceVersion?: string
  readonly gracePeriodSeconds?: number
  readonly propagation: Propagation
  readonly dryRun: boolean
  readonly nowMs: number
}

export interface Deleted {
  readonly object: KubernetesObject
  /** Whether it is gone already; otherwise it is on its way out. */
  readonly gone: boolean
}

export const foregroundFinalizer = "foregroundDeletion"

/** Grace of a pod that does not say otherwise. */
const defaultGraceSeconds = 30

export interface OwnedObject {
  readonly type: ResourceType
  readonly object: KubernetesObject
}

/** Everything whose owner references name a uid. */
export const ownedBy = (store: Store, uid: string): ReadonlyArray<OwnedObject> =>
  ResourceTypes.all.flatMap((type) =>
    store
      .list(type.resource)
      .objects.filter((object) => (object.metadata.ownerReferences ?? []).some((owner) => owner.uid === uid))
      .map((object) => ({ type, object }))
  )

const placeOf = (type: ResourceType, object: KubernetesObject): Place => ({
  type,
  namespace: object.metadata.namespace,
  name: object.metadata.name
})

const graceOf = (type: ResourceType, object: KubernetesObject, options: DeleteOptions): number => {
  if (type.kind !== "Pod") return 0
  const spec = isObject(object["spec"]) ? object["spec"] : {}
  if (typeof spec["nodeName"] !== "string" || spec["nodeName"] === "") return 0
  const status = isObject(object["status"]) ? object["status"] : {}
  if (status["phase"] === "Succeeded" || status["phase"] === "Failed") return 0
  const wanted = options.gracePeriodSeconds ?? spec["terminationGracePeriodSeconds"]
  return typeof wanted === "number" ? wanted : defaultGraceSeconds
}

const mark = (
  store: Store,
  place: Place,
  object: KubernetesObject,
  graceSeconds: number,
  finalizers: ReadonlyArray<string>,
  nowMs: number
): KubernetesObject => {
  const known = object.metadata.deletionTimestamp
  const shorter = (object.metadata.deletionGracePeriodSeconds ?? Infinity) > graceSeconds
  if (known !== undefined && !shorter && finalizers.length === (object.metadata.finalizers ?? []).length) {
    return object
  }
  const { generation } = object.metadata
  const metadata = {
    ...object.metadata,
    ...(generation === undefined || known !== undefined ? {} : { generation: generation + 1 }),
    deletionTimestamp: timestamp(nowMs + graceSeconds * 1000),
    ...(place.type.kind === "Namespace" ? {} : { deletionGracePeriodSeconds: graceSeconds }),
    ...(finalizers.length === 0 ? {} : { finalizers })
  }
  const status =
    place.type.kind === "Namespace"
      ? { status: { ...(object["status"] as object), phase: "Terminating" } }
      : {}
  return store.put(place.type.resource, placeKey(place), { ...object, metadata, ...status })
}

const orphan = (store: Store, owner: KubernetesObject): void => {
  for (const { type, object } of ownedBy(store, owner.metadata.uid)) {
    const ownerReferences = (object.metadata.ownerReferences ?? []).filter(
      ({ uid }) => uid !== owner.metadata.uid
    )
    store.put(type.resource, placeKey(placeOf(type, object)), {
      ...object,
      metadata: { ...object.metadata, ownerReferences }
    })
  }
}

/** Removes, or begins to remove, one object. */
export const remove = (
  store: Store,
  place: Place,
  options: DeleteOptions
): Result.Result<Deleted, ApiStatus> =>
  Result.flatMap(get(store, place), (object): Result.Result<Deleted, ApiStatus> => {
    const { type, name } = place
    if (options.uid !== undefined && options.uid !== object.metadata.uid) {
      return Result.fail(Statuses.uidMismatch(type, name, options.uid, object.metadata.uid))
    }
    if (
      options.resourceVersion !== undefined &&
      options.resourceVersion !== object.metadata.resourceVersion
    ) {
      return Result.fail(Statuses.modified(type, name))
    }
    if (options.dryRun) return Result.succeed({ object, gone: true })
    const graceSeconds = graceOf(type, object, options)
    const present = object.metadata.finalizers ?? []
    const waitsForOwned =
      options.propagation === "Foreground" && ownedBy(store, object.metadata.uid).length > 0
    const finalizers =
      waitsForOwned && !present.includes(foregroundFinalizer) ? [...present, foregroundFinalizer] : present
    if (options.propagation === "Orphan") orphan(store, object)
    const isNamespace = type.kind === "Namespace"
    if (graceSeconds > 0 || finalizers.length > 0 || isNamespace) {
      const marked = mark(store, place, object, graceSeconds, finalizers, options.nowMs)
      return Result.succeed({ object: marked, gone: false })
    }
    store.remove(type.resource, placeKey(place))
    return Result.succeed({ object, gone: true })
  })
