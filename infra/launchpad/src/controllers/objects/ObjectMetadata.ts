/** The part of `metadata` that controllers read. Decoded on entry; written back through the stored object, never from here. */
import * as Schema from "effect/Schema"
import { defaulted, strings } from "./FieldSchemas.ts"

export const OwnerReference = Schema.Struct({
  apiVersion: Schema.String,
  kind: Schema.String,
  name: Schema.String,
  uid: Schema.String,
  controller: defaulted(Schema.Boolean, false)
})
export type OwnerReference = typeof OwnerReference.Type

export const ObjectMetadata = Schema.Struct({
  name: Schema.String,
  namespace: defaulted(Schema.String, ""),
  uid: Schema.String,
  resourceVersion: defaulted(Schema.String, ""),
  generation: defaulted(Schema.Int, 0),
  creationTimestamp: Schema.String,
  deletionTimestamp: Schema.optionalKey(Schema.String),
  /** Seconds. */
  deletionGracePeriodSeconds: Schema.optionalKey(Schema.Int),
  labels: defaulted(strings, {}),
  annotations: defaulted(strings, {}),
  finalizers: defaulted(Schema.Array(Schema.String), []),
  ownerReferences: defaulted(Schema.Array(OwnerReference), [])
})
export type ObjectMetadata = typeof ObjectMetadata.Type

/** The one owner that manages the object, if any. */
export const controllerOf = (metadata: ObjectMetadata): OwnerReference | undefined =>
  metadata.ownerReferences.find((owner) => owner.controller)
