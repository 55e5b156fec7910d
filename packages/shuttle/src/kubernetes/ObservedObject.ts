/**
 * An object as the API server showed it, reduced to what the agent decides on. Secret values, pod specs and the
 * text of managed fields are dropped at once, so that the index stays small.
 */
import { canonicalJson } from "@starform/domain/desired/DocumentHash"
import * as Schema from "effect/Schema"
import { sha256Hex } from "../hashing/Sha256.ts"
import type { ObjectReference, ResourceKind } from "./ResourceKind.ts"

/** Name under which we write; the server keeps which fields are ours. */
export const fieldManager = "starform-shuttle"

const text = Schema.Record(Schema.String, Schema.String)

const Metadata = Schema.Struct({
  name: Schema.String,
  namespace: Schema.optionalKey(Schema.String),
  uid: Schema.String,
  resourceVersion: Schema.String,
  generation: Schema.optionalKey(Schema.Int),
  labels: Schema.optionalKey(text),
  annotations: Schema.optionalKey(text),
  deletionTimestamp: Schema.optionalKey(Schema.String),
  ownerReferences: Schema.optionalKey(
    Schema.Array(Schema.Struct({ uid: Schema.String, controller: Schema.optionalKey(Schema.Boolean) }))
  ),
  managedFields: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        manager: Schema.optionalKey(Schema.String),
        operation: Schema.optionalKey(Schema.String),
        subresource: Schema.optionalKey(Schema.String),
        fieldsV1: Schema.optionalKey(Schema.Unknown)
      })
    )
  )
})

/** What every object of the API looks like from outside. */
export const WireObject = Schema.Struct({
  metadata: Metadata,
  spec: Schema.optionalKey(Schema.Unknown),
  status: Schema.optionalKey(Schema.Unknown),
  data: Schema.optionalKey(Schema.Unknown)
})
export type WireObject = typeof WireObject.Type

export interface ObservedObject extends ObjectReference {
  readonly uid: string
  readonly resourceVersion: string
  /** 0 for kinds without one. */
  readonly generation: number
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly deleting: boolean
  /** The controller that made it, by uid. */
  readonly controllerUid: string | null
  /**
   * Hash of the set of fields that are ours by server-side apply; `null` when none is. It changes when somebody
   * else writes or removes one of them, and stays when others write fields of their own.
   */
  readonly ownedFields: string | null
  readonly spec: unknown
  readonly status: unknown
  /** Of ConfigMaps only. */
  readonly data: unknown
}

/** Kinds of which something beside their metadata decides; of all others the server is asked for metadata alone. */
export const hasBody = (kind: ResourceKind): boolean =>
  keepsSpec.has(kind) || keepsStatus.has(kind) || kind === "ConfigMap"

const keepsSpec: ReadonlySet<ResourceKind> = new Set(["Deployment"])
const keepsStatus: ReadonlySet<ResourceKind> = new Set(["Namespace", "Deployment", "ReplicaSet", "Pod"])

const ownedFieldsOf = (metadata: WireObject["metadata"]): string | null => {
  const entry = metadata.managedFields?.find(
    (fields) =>
      fields.manager === fieldManager && fields.operation === "Apply" && (fields.subresource ?? "") === ""
  )
  return entry === undefined ? null : sha256Hex(canonicalJson(entry.fieldsV1))
}

export const fromWire = (kind: ResourceKind, wire: WireObject): ObservedObject => {
  const { metadata } = wire
  return {
    kind,
    namespace: metadata.namespace ?? null,
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    generation: metadata.generation ?? 0,
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    deleting: metadata.deletionTimestamp !== undefined,
    controllerUid: metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid ?? null,
    ownedFields: ownedFieldsOf(metadata),
    spec: keepsSpec.has(kind) ? wire.spec : undefined,
    status: keepsStatus.has(kind) ? wire.status : undefined,
    data: kind === "ConfigMap" ? wire.data : undefined
  }
}
