/**
 * What a write means: defaulting, validation, generation, ownership of fields, versions. Synchronous, so that one write
 * is one turn of the event loop. Callers are the HTTP side and `ClusterObjects`.
 */
import { randomBytes, randomUUID } from "node:crypto"
import * as DateTime from "effect/DateTime"
import * as Result from "effect/Result"
import * as Defaults from "./admission/Defaults.ts"
import * as Validation from "./admission/Validation.ts"
import type { ApiStatus } from "./ApiStatus.ts"
import * as ManagedFields from "./apply/ManagedFields.ts"
import * as ServerSideApply from "./apply/ServerSideApply.ts"
import type { KubernetesObject, ObjectMeta } from "./ClusterObjects.ts"
import { equal, isObject, type JsonObject, without } from "./JsonValue.ts"
import { keyOf, type ObjectStore } from "./ObjectStore.ts"
import { apiVersionOf, type ResourceType } from "./ResourceTypes.ts"
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
  readonly dryRun: boolean
  readonly nowMs: number
}

export interface Written {
  readonly object: KubernetesObject
  readonly created: boolean
}

type Outcome = Result.Result<Written, ApiStatus>

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

const managedOf = (object: KubernetesObject | undefined): ReadonlyArray<ManagedFields.ManagedEntry> =>
  (object?.metadata.managedFields ?? []) as ReadonlyArray<ManagedFields.ManagedEntry>

const unmanaged = (object: KubernetesObject): KubernetesObject => ({
  ...object,
  metadata: without(object.metadata as unknown as JsonObject, "managedFields") as unknown as ObjectMeta
})

const withManaged = (
  object: KubernetesObject,
  managedFields: ReadonlyArray<ManagedFields.ManagedEntry>
): KubernetesObject =>
  managedFields.length === 0 ? object : { ...object, metadata: { ...object.metadata, managedFields } }

const desiredPart = (object: JsonObject): JsonObject =>
  without(object, "apiVersion", "kind", "metadata", "status")

/** Kinds in the order in which Kubernetes writes them; also drops what callers must not set. */
const assemble = (type: ResourceType, metadata: ObjectMeta, content: JsonObject): KubernetesObject => {
  const { status, ...rest } = without(content, "apiVersion", "kind", "metadata")
  return {
    kind: type.kind,
    apiVersion: apiVersionOf(type),
    metadata,
    ...rest,
    ...(status === undefined ? {} : { status })
  }
}

const callersMetadata = (content: JsonObject): JsonObject =>
  isObject(content["metadata"])
    ? without(
        content["metadata"],
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
        "name",
        "namespace"
      )
    : {}

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
    ...callersMetadata(content),
    uid: randomUUID(),
    resourceVersion: "",
    ...(type.hasGeneration ? { generation: 1 } : {}),
    creationTimestamp: timestamp(nowMs)
  }
  return Defaults.apply(type.kind, assemble(type, metadata, content)) as KubernetesObject
}

const insert = (store: Store, place: Place, object: KubernetesObject, options: WriteOptions): Outcome => {
  const refused = checkNamespace(store, place)
  if (refused !== undefined) return Result.fail(refused)
  const causes = Validation.onCreate(place.type, object)
  if (causes.length > 0) return Result.fail(Statuses.invalid(place.type, place.name, causes))
  const stored = options.dryRun ? object : store.put(place.type.resource, placeKey(place), object)
  return Result.succeed({ object: stored, created: true })
}

const nameSuffix = (): string =>
  [...randomBytes(5)].map((byte) => "bcdfghjklmnpqrstvwxz2456789"[byte % 27]).join("")

/** A POST. `metadata.generateName` is completed with five characters. */
export const create = (
  store: Store,
  type: ResourceType,
  namespace: string | undefined,
  content: JsonObject,
  options: WriteOptions
): Outcome => {
  const metadata = isObject(content["metadata"]) ? content["metadata"] : {}
  const { name: given, generateName } = metadata
  const name =
    typeof given === "string" && given !== ""
      ? given
      : typeof generateName === "string"
        ? `${generateName}${nameSuffix()}`
        : ""
  const place = { type, namespace, name }
  if (store.get(type.resource, placeKey(place)) !== undefined) {
    return Result.fail(Statuses.alreadyExists(type, name))
  }
  const accepted = type.subresources.includes("status") ? without(content, "status") : content
  const object = fresh(place, accepted, options.nowMs)
  const managed = ManagedFields.afterUpdate(
    [],
    {},
    fresh(place, accepted, options.nowMs),
    { name: options.manager, operation: "Update" },
    apiVersionOf(type),
    ResourceSchema.ofKind(type.kind),
    timestamp(options.nowMs)
  )
  return insert(store, place, withManaged(object, managed), options)
}

/** The object as a write leaves it, before ownership: system fields kept, status and the rest kept apart (INV-API-K5). */
const successor = (
  type: ResourceType,
  before: KubernetesObject,
  content: JsonObject,
  subresource: WriteOptions["subresource"]
): KubernetesObject => {
  if (subresource === "status") {
    return { ...unmanaged(before), ...(content["status"] === undefined ? {} : { status: content["status"] }) }
  }
  const { uid, creationTimestamp, resourceVersion, generation, name, namespace } = before.metadata
  const { deletionTimestamp, deletionGracePeriodSeconds } = before.metadata
  const metadata: ObjectMeta = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...callersMetadata(content),
    uid,
    resourceVersion,
    ...(generation === undefined ? {} : { generation }),
    creationTimestamp,
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(deletionGracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds })
  }
  const kept = type.subresources.includes("status") ? { ...content, status: before["status"] } : content
  const carried =
    type.kind === "Service" ? { ...kept, spec: carryClusterIp(before["spec"], kept["spec"]) } : kept
  const next = Defaults.apply(type.kind, assemble(type, metadata, carried)) as KubernetesObject
  const changed = !equal(desiredPart(before), desiredPart(next))
  return changed && type.hasGeneration
    ? { ...next, metadata: { ...next.metadata, generation: (generation ?? 0) + 1 } }
    : next
}

const carryClusterIp = (before: unknown, after: unknown): unknown =>
  isObject(before) && isObject(after)
    ? { clusterIP: before["clusterIP"], clusterIPs: before["clusterIPs"], ...after }
    : after

/** Stores a successor unless it changes nothing; an object on its way out leaves with its last finalizer. */
const replace = (
  store: Store,
  place: Place,
  before: KubernetesObject,
  after: KubernetesObject,
  options: WriteOptions
): Outcome => {
  if (equal(before, after)) return Result.succeed({ object: before, created: false })
  const causes = options.subresource === "status" ? [] : Validation.onUpdate(place.type, before, after)
  if (causes.length > 0) return Result.fail(Statuses.invalid(place.type, place.name, causes))
  if (options.dryRun) return Result.succeed({ object: after, created: false })
  const key = placeKey(place)
  const isGone =
    after.metadata.deletionTimestamp !== undefined &&
    (after.metadata.finalizers ?? []).length === 0 &&
    (before.metadata.finalizers ?? []).length > 0
  if (isGone) store.remove(place.type.resource, key)
  const object = isGone ? after : store.put(place.type.resource, key, after)
  return Result.succeed({ object, created: false })
}

/** A PUT, or the result of a patch. `content` may name the version that it was made from. */
export const update = (store: Store, place: Place, content: JsonObject, options: WriteOptions): Outcome => {
  const { type, name } = place
  return Result.flatMap(get(store, place), (before) => {
    const metadata = isObject(content["metadata"]) ? content["metadata"] : {}
    const version = metadata["resourceVersion"]
    if (typeof version === "string" && version !== "" && version !== before.metadata.resourceVersion) {
      return Result.fail(Statuses.modified(type, name))
    }
    const after = successor(type, before, content, options.subresource)
    const { subresource } = options
    const managed = ManagedFields.afterUpdate(
      managedOf(before),
      unmanaged(before),
      after,
      { name: options.manager, operation: "Update", ...(subresource === undefined ? {} : { subresource }) },
      apiVersionOf(type),
      ResourceSchema.ofKind(type.kind),
      timestamp(options.nowMs)
    )
    const isSame = equal(unmanaged(before), after)
    return replace(store, place, before, isSame ? before : withManaged(after, managed), options)
  })
}

const conflictStatus = (conflicts: ReadonlyArray<ServerSideApply.ApplyConflict>): ApiStatus => {
  const causes = conflicts.flatMap(({ manager, operation, apiVersion, time, fields }) => {
    const who =
      operation === "Apply"
        ? `conflict with "${manager}"`
        : `conflict with "${manager}" using ${apiVersion} at ${time}`
    return fields.map((field) => ({ reason: "FieldManagerConflict", message: who, field }))
  })
  const grouped = conflicts.map(({ manager, operation, apiVersion, time, fields }) => {
    const using = operation === "Apply" ? "" : ` using ${apiVersion} at ${time}`
    return fields.length === 1
      ? `"${manager}"${using}: ${fields[0]}`
      : `"${manager}"${using}:\n${fields.map((field) => `- ${field}`).join("\n")}`
  })
  const count = causes.length
  const text =
    count === 1
      ? `Apply failed with 1 conflict: conflict with ${grouped[0]}`
      : `Apply failed with ${count} conflicts: ${grouped.map((line) => `conflicts with ${line}`).join("\n")}`
  return Statuses.conflict(text, causes)
}

/** A PATCH of type apply: creates or merges (INV-API-K3, INV-API-K4). */
export const apply = (
  store: Store,
  place: Place,
  content: JsonObject,
  options: WriteOptions & { readonly force: boolean }
): Outcome => {
  const { type, name } = place
  const schema = ResourceSchema.ofKind(type.kind)
  const time = timestamp(options.nowMs)
  const manager = {
    name: options.manager,
    operation: "Apply" as const,
    ...(options.subresource === undefined ? {} : { subresource: options.subresource })
  }
  const before = store.get(type.resource, placeKey(place))
  const metadata = isObject(content["metadata"]) ? content["metadata"] : {}
  const version = metadata["resourceVersion"]
  if (before === undefined) {
    if (options.subresource !== undefined) return Result.fail(Statuses.notFound(type, name))
    const accepted = type.subresources.includes("status") ? without(content, "status") : content
    const made = ServerSideApply.apply({
      live: {},
      managed: [],
      applied: accepted,
      manager,
      apiVersion: apiVersionOf(type),
      schema,
      force: options.force,
      time
    })
    const managed = Result.isSuccess(made) ? made.success.managed : []
    return insert(store, place, withManaged(fresh(place, accepted, options.nowMs), managed), options)
  }
  if (typeof version === "string" && version !== before.metadata.resourceVersion) {
    return Result.fail(Statuses.modified(type, name))
  }
  const outcome = ServerSideApply.apply({
    live: unmanaged(before),
    managed: managedOf(before),
    applied: content,
    manager,
    apiVersion: apiVersionOf(type),
    schema,
    force: options.force,
    time
  })
  if (Result.isFailure(outcome)) return Result.fail(conflictStatus(outcome.failure))
  const after = successor(type, before, outcome.success.object, options.subresource)
  return replace(store, place, before, withManaged(after, outcome.success.managed), options)
}
