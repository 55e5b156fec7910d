/**
 * What a write means: defaulting, validation, generation, ownership of fields, versions. Synchronous, so that one write
 * is one turn of the event loop. Callers are the HTTP side and `ClusterObjects`.
 */
import { randomBytes, randomUUID } from "node:crypto"
import * as DateTime from "effect/DateTime"
import * as Result from "effect/Result"
import * as Admission from "./admission/Admission.ts"
import * as ClusterAdmission from "./admission/ClusterAdmission.ts"
import type { ApiStatus } from "./ApiStatus.ts"
import * as ConflictText from "./apply/ConflictText.ts"
import * as ManagedFields from "./apply/ManagedFields.ts"
import * as ServerSideApply from "./apply/ServerSideApply.ts"
import type { KubernetesObject, ObjectMeta } from "./ClusterObjects.ts"
import { equal, isObject, type JsonObject, without } from "./JsonValue.ts"
import { resourceQuota } from "./kinds/ResourceQuotaKind.ts"
import { apiVersionOf, type ResourceType } from "./kinds/ResourceType.ts"
import * as ObjectContent from "./ObjectContent.ts"
import { keyOf, type ObjectStore } from "./ObjectStore.ts"
import * as ResourceSchema from "./schema/ResourceSchema.ts"
import * as Statuses from "./Statuses.ts"

type Store = ObjectStore["Service"]

export interface Place {
  readonly type: ResourceType
  readonly namespace: string | undefined
  readonly name: string
}

export interface WriteOptions {
  /** Of the fields that the write changes. */
  readonly manager: string
  readonly subresource?: "status" | "scale"
  readonly fieldValidation: ObjectContent.FieldValidation
  readonly dryRun: boolean
  readonly nowMs: number
}

export interface Written {
  readonly object: KubernetesObject
  readonly created: boolean
  readonly warnings: ReadonlyArray<string>
}

type Outcome = Result.Result<Written, ApiStatus>

type Owners = ReadonlyArray<ManagedFields.Owner>

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export const timestamp = (ms: number): string =>
  `${DateTime.formatIso(DateTime.makeUnsafe(ms)).slice(0, 19)}Z`

export const placeKey = ({ namespace, name }: Place): string => keyOf(namespace, name)

export const get = (store: Store, place: Place): Result.Result<KubernetesObject, ApiStatus> => {
  const object = store.get(place.type.resource, placeKey(place))
  return object === undefined
    ? Result.fail(Statuses.notFound(place.type, place.name))
    : Result.succeed(object)
}

const unmanaged = (object: KubernetesObject): KubernetesObject => ({
  ...object,
  metadata: without(object.metadata as unknown as JsonObject, "managedFields") as unknown as ObjectMeta
})

const withOwners = (object: KubernetesObject, owners: Owners): KubernetesObject => {
  const managedFields = ManagedFields.write(owners)
  return managedFields.length === 0 ? object : { ...object, metadata: { ...object.metadata, managedFields } }
}

const hasStatus = (type: ResourceType): boolean => type.subresources.includes("status")

const writing = (
  type: ResourceType,
  options: WriteOptions,
  operation: ManagedFields.Manager["operation"]
): ServerSideApply.Writing => ({
  manager: { name: options.manager, operation, subresource: options.subresource },
  apiVersion: apiVersionOf(type),
  schema: ResourceSchema.ofKind(type.kind),
  time: options.subresource === "scale" ? undefined : timestamp(options.nowMs)
})

const checkNamespace = (store: Store, { type, namespace, name }: Place): ApiStatus | undefined => {
  if (namespace === undefined) return undefined
  const owner = store.get("namespaces", namespace)
  if (owner === undefined) {
    return Statuses.notFound({ ...type, plural: "namespaces", group: "" }, namespace)
  }
  return owner.metadata.deletionTimestamp === undefined
    ? undefined
    : Statuses.namespaceTerminating(type, name, namespace)
}

const fresh = (place: Place, content: JsonObject, nowMs: number): KubernetesObject => {
  const { type, namespace, name } = place
  const metadata: ObjectMeta = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...ObjectContent.callersMetadata(content),
    uid: randomUUID(),
    resourceVersion: "",
    ...(type.generation === "none" ? {} : { generation: 1 }),
    creationTimestamp: timestamp(nowMs)
  }
  return ObjectContent.complete(type, metadata, content)
}

const insert = (
  store: Store,
  place: Place,
  made: {
    readonly object: KubernetesObject
    readonly owners: Owners
    readonly warnings: ReadonlyArray<string>
  },
  options: WriteOptions
): Outcome => {
  const { type, name } = place
  const refused = checkNamespace(store, place)
  if (refused !== undefined) return Result.fail(refused)
  const completed = ClusterAdmission.complete(store, type, place.namespace, made.object)
  const admitted = type.admit(completed, undefined) as KubernetesObject
  const causes = Admission.causes(type, admitted, undefined)
  if (causes.length > 0) return Result.fail(Statuses.invalid(type, name, causes))
  const reviewed = ClusterAdmission.review(store, type, place.namespace, admitted)
  if (Result.isFailure(reviewed)) return Result.fail(reviewed.failure)
  const { charged, warnings } = reviewed.success
  if (!options.dryRun) for (const quota of charged) charge(store, quota, options.nowMs)
  const object = withOwners(admitted, made.owners)
  const stored = options.dryRun
    ? {
        ...object,
        metadata: without(
          object.metadata as unknown as JsonObject,
          "resourceVersion"
        ) as unknown as ObjectMeta
      }
    : store.put(type.resource, placeKey(place), object)
  return Result.succeed({ object: stored, created: true, warnings: [...made.warnings, ...warnings] })
}

/** The server itself keeps the account of a quota while it lets objects in. */
const charge = (store: Store, quota: KubernetesObject, nowMs: number): void => {
  const { namespace, name } = quota.metadata
  update(store, { type: resourceQuota, namespace, name }, quota, {
    manager: "kube-apiserver",
    subresource: "status",
    fieldValidation: "Ignore",
    dryRun: false,
    nowMs
  })
}

const nameSuffix = (): string =>
  [...randomBytes(5)].map((byte) => "bcdfghjklmnpqrstvwxz2456789"[byte % 27]).join("")

const newName = (content: JsonObject): string => {
  const { name, generateName } = isObject(content["metadata"]) ? content["metadata"] : {}
  if (typeof name === "string" && name !== "") return name
  return typeof generateName === "string" ? `${generateName}${nameSuffix()}` : ""
}

/** A POST. `metadata.generateName` is completed with five characters. */
export const create = (
  store: Store,
  type: ResourceType,
  namespace: string | undefined,
  given: JsonObject,
  options: WriteOptions
): Outcome => {
  const place = { type, namespace, name: newName(given) }
  return Result.flatMap(
    ObjectContent.accept(type, place.name, given, options.fieldValidation),
    ({ content, warnings }): Outcome => {
      if (store.get(type.resource, placeKey(place)) !== undefined) {
        return Result.fail(Statuses.alreadyExists(type, place.name))
      }
      const object = fresh(place, hasStatus(type) ? without(content, "status") : content, options.nowMs)
      const owners = ServerSideApply.afterUpdate(
        ObjectContent.blank(type),
        object,
        [],
        writing(type, options, "Update")
      )
      return insert(store, place, { object, owners, warnings }, options)
    }
  )
}

const countsUp = (type: ResourceType, before: KubernetesObject, after: KubernetesObject): boolean => {
  const desired = (object: JsonObject) => without(object, "apiVersion", "kind", "metadata", "status")
  if (type.generation === "none") return false
  return (
    !equal(desired(before), desired(after)) ||
    (type.generation === "spec and annotations" &&
      !equal(before.metadata.annotations ?? {}, after.metadata.annotations ?? {}))
  )
}

/** A status of a built-in kind comes with annotations; controllers keep the number of a rollout there. */
const withStatusOf = (
  type: ResourceType,
  before: KubernetesObject,
  content: JsonObject
): KubernetesObject => {
  const { annotations } = ObjectContent.callersMetadata(content)
  const { metadata } = unmanaged(before)
  const written = type.isBuiltIn
    ? {
        ...without(metadata as unknown as JsonObject, "annotations"),
        ...(annotations === undefined ? {} : { annotations })
      }
    : metadata
  return ObjectContent.complete(type, written as unknown as ObjectMeta, {
    ...before,
    status: content["status"]
  })
}

/** The object as a write leaves it, before ownership: system fields kept, status and the rest kept apart (INV-API-K5). */
const successor = (
  type: ResourceType,
  before: KubernetesObject,
  content: JsonObject,
  subresource: WriteOptions["subresource"]
): KubernetesObject => {
  if (subresource === "status") return withStatusOf(type, before, content)
  const { uid, creationTimestamp, resourceVersion, generation, name, namespace } = before.metadata
  const { deletionTimestamp, deletionGracePeriodSeconds } = before.metadata
  const metadata: ObjectMeta = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...ObjectContent.callersMetadata(content),
    uid,
    resourceVersion,
    ...(generation === undefined ? {} : { generation }),
    creationTimestamp,
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(deletionGracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds })
  }
  const kept = hasStatus(type) ? { ...content, status: before["status"] } : content
  const next = type.admit(ObjectContent.complete(type, metadata, kept), before) as KubernetesObject
  return countsUp(type, before, next)
    ? { ...next, metadata: { ...next.metadata, generation: (generation ?? 0) + 1 } }
    : next
}

/** Stores a successor unless it changes nothing; an object on its way out leaves with its last finalizer. */
const replace = (
  store: Store,
  place: Place,
  before: KubernetesObject,
  made: {
    readonly object: KubernetesObject
    readonly owners: Owners
    readonly warnings: ReadonlyArray<string>
  },
  options: WriteOptions
): Outcome => {
  const { type, name } = place
  const { object: next, owners } = made
  const warnings =
    options.subresource === "status"
      ? made.warnings
      : [...made.warnings, ...ClusterAdmission.warnings(store, type, place.namespace, next)]
  const past = ManagedFields.read(before.metadata.managedFields)
  if (equal(unmanaged(before), next) && ManagedFields.isSameButTimes(past, owners)) {
    return Result.succeed({ object: before, created: false, warnings })
  }
  const isTrusted = options.subresource === "status" && type.isBuiltIn
  const causes = isTrusted ? [] : Admission.causes(type, next, before)
  if (causes.length > 0) return Result.fail(Statuses.invalid(type, name, causes))
  const after = withOwners(next, owners)
  if (options.dryRun) return Result.succeed({ object: after, created: false, warnings })
  const key = placeKey(place)
  const isGone =
    after.metadata.deletionTimestamp !== undefined &&
    (after.metadata.finalizers ?? []).length === 0 &&
    (before.metadata.finalizers ?? []).length > 0
  if (isGone) store.remove(type.resource, key)
  const object = isGone ? after : store.put(type.resource, key, after)
  return Result.succeed({ object, created: false, warnings })
}

const versionOf = (content: JsonObject): string => {
  const version = isObject(content["metadata"]) ? content["metadata"]["resourceVersion"] : undefined
  return typeof version === "string" ? version : ""
}

/** A PUT, or the result of a patch. `content` may name the version that it was made from. */
export const update = (store: Store, place: Place, given: JsonObject, options: WriteOptions): Outcome => {
  const { type, name } = place
  const accepted = ObjectContent.accept(type, name, given, options.fieldValidation)
  return Result.flatMap(accepted, ({ content, warnings }) =>
    Result.flatMap(get(store, place), (before): Outcome => {
      const version = versionOf(content)
      if (version !== "" && version !== before.metadata.resourceVersion) {
        return Result.fail(Statuses.modified(type, name))
      }
      const object = successor(type, before, content, options.subresource)
      const past = ManagedFields.read(before.metadata.managedFields)
      // An object that nobody owned a field of stays so until the first apply.
      const owners =
        past.length === 0
          ? past
          : ServerSideApply.afterUpdate(before, object, past, writing(type, options, "Update"))
      return replace(store, place, before, { object, owners, warnings }, options)
    })
  )
}

/** What an apply can claim by its road: status by the subresource only, and nothing else there (INV-API-K5). */
const claimable = (type: ResourceType, content: JsonObject, options: WriteOptions): JsonObject => {
  if (options.subresource === "status") {
    const { apiVersion, kind, status } = content
    return { apiVersion, kind, status }
  }
  return hasStatus(type) ? without(content, "status") : content
}

/** Owners of an object to which nothing was ever applied. */
const ownersOf = (before: KubernetesObject, input: ServerSideApply.Writing): Owners => {
  const owners = ManagedFields.read(before.metadata.managedFields)
  return owners.length > 0
    ? owners
    : ServerSideApply.afterUpdate({}, before, [], {
        ...input,
        manager: ManagedFields.beforeFirstApply
      })
}

/** An apply without a field of its own to an object without owners leaves it without owners. */
const claimsOf = (owners: Owners, before: KubernetesObject, { manager }: ServerSideApply.Writing): Owners => {
  const wasOwned = ManagedFields.read(before.metadata.managedFields).length > 0
  const claims = owners.some((owner) => ManagedFields.isSame(owner, manager) && owner.fields.size > 0)
  return wasOwned || claims ? owners : []
}

/** A PATCH of type apply: creates or merges (INV-API-K3, INV-API-K4). */
export const apply = (
  store: Store,
  place: Place,
  given: JsonObject,
  options: WriteOptions & { readonly force: boolean }
): Outcome =>
  Result.flatMap(ObjectContent.checkApplied(place, given), (content): Outcome => {
    const { type, name } = place
    const applied = claimable(type, content, options)
    const input = { ...writing(type, options, "Apply"), applied, force: options.force }
    const before = store.get(type.resource, placeKey(place))
    if (before === undefined) {
      if (options.subresource !== undefined) return Result.fail(Statuses.notFound(type, name))
      const object = fresh(place, applied, options.nowMs)
      const owners = Result.match(ServerSideApply.apply({ ...input, live: {}, owners: [] }), {
        onFailure: () => [],
        onSuccess: (made) => made.owners
      })
      return insert(store, place, { object, owners, warnings: [] }, options)
    }
    const version = versionOf(content)
    if (version !== "" && version !== before.metadata.resourceVersion) {
      return Result.fail(Statuses.modified(type, name))
    }
    const live = unmanaged(before)
    const outcome = ServerSideApply.apply({ ...input, live, owners: ownersOf(before, input) })
    if (Result.isFailure(outcome)) {
      const { failure } = outcome
      return Result.fail(Statuses.conflict(ConflictText.message(failure), ConflictText.causes(failure)))
    }
    const { object: merged } = outcome.success
    const owners = claimsOf(outcome.success.owners, before, input)
    const object = merged === undefined ? live : successor(type, before, merged, options.subresource)
    return replace(store, place, before, { object, owners, warnings: [] }, options)
  })
