/**
 * An object as the API server showed it, reduced to what the agent decides on. Secret values, most of pod specs and the
 * text of managed fields are dropped at once, so that the index stays small.
 */
import { canonicalJson } from "@starform/domain/desired/DocumentHash"
import * as Schema from "effect/Schema"
import { sha256Hex } from "../hashing/Sha256.ts"
import { podRequests } from "./PodRequests.ts"
import type { ObjectReference, ResourceKind } from "./ResourceKind.ts"

/** Name under which we write; the server keeps which fields are ours. */
export const fieldManager = "starform-shuttle"

/** Holds the number of copies of what scales by itself, from when we let go of it until the autoscaler takes it. */
export const scaleManager = "starform-shuttle-scale"

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
  finalizers: Schema.optionalKey(Schema.Array(Schema.String)),
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
  /** What keeps an object that is being deleted from going; absent from all others. */
  readonly finalizers?: ReadonlyArray<string>
  /** The controller that made it, by uid. */
  readonly controllerUid: string | null
  /**
   * Hash of the set of fields that are ours by server-side apply; `null` when none is. It changes when somebody
   * else writes or removes one of them, and stays when others write fields of their own.
   */
  readonly ownedFields: string | null
  /** Of Deployments: the number of copies is a field of ours. */
  readonly ownsReplicas: boolean
  /** Of pods only what they request. */
  readonly spec: unknown
  readonly status: unknown
  /** Of ConfigMaps only. */
  readonly data: unknown
}

const keepsSpec: ReadonlySet<ResourceKind> = new Set(["Deployment", "Gateway"])
const keepsStatus: ReadonlySet<ResourceKind> = new Set([
  "Namespace",
  "Deployment",
  "CronJob",
  "ReplicaSet",
  "Job",
  "Pod"
])

/** Kinds of which something beside their metadata decides; of all others the server is asked for metadata alone. */
export const hasBody = (kind: ResourceKind): boolean =>
  keepsSpec.has(kind) || keepsStatus.has(kind) || kind === "ConfigMap"

const isOurs = (fields: NonNullable<WireObject["metadata"]["managedFields"]>[number]): boolean =>
  fields.manager === fieldManager && fields.operation === "Apply" && (fields.subresource ?? "") === ""

const hasReplicas = Schema.is(Schema.Struct({ "f:spec": Schema.Struct({ "f:replicas": Schema.Unknown }) }))

export const fromWire = (kind: ResourceKind, wire: WireObject): ObservedObject => {
  const { metadata } = wire
  const ours = metadata.managedFields?.find(isOurs)
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
    ...(metadata.deletionTimestamp === undefined || metadata.finalizers === undefined
      ? {}
      : { finalizers: metadata.finalizers }),
    controllerUid: metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid ?? null,
    ownedFields: ours === undefined ? null : sha256Hex(canonicalJson(ours.fieldsV1)),
    ownsReplicas: kind === "Deployment" && hasReplicas(ours?.fieldsV1),
    spec: kind === "Pod" ? podRequests(wire.spec) : keepsSpec.has(kind) ? wire.spec : undefined,
    status: keepsStatus.has(kind) ? wire.status : undefined,
    data: kind === "ConfigMap" ? wire.data : undefined
  }
}
