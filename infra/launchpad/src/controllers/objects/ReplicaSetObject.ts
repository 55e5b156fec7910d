/** apps/v1 ReplicaSet as its controller and the Deployment controller read it. */
import * as Schema from "effect/Schema"
import { defaulted, opaque } from "./FieldSchemas.ts"
import { LabelSelector } from "./LabelSelector.ts"
import { ObjectCondition } from "./ObjectCondition.ts"
import { ObjectMetadata } from "./ObjectMetadata.ts"

export const ReplicaSetStatus = Schema.Struct({
  observedGeneration: defaulted(Schema.Int, 0),
  replicas: defaulted(Schema.Int, 0),
  fullyLabeledReplicas: defaulted(Schema.Int, 0),
  readyReplicas: defaulted(Schema.Int, 0),
  availableReplicas: defaulted(Schema.Int, 0),
  terminatingReplicas: defaulted(Schema.Int, 0),
  conditions: defaulted(Schema.Array(ObjectCondition), [])
})
export type ReplicaSetStatus = typeof ReplicaSetStatus.Type

export const ReplicaSetObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({
    replicas: defaulted(Schema.Int, 1),
    minReadySeconds: defaulted(Schema.Int, 0),
    selector: LabelSelector,
    template: defaulted(opaque, {})
  }),
  status: defaulted(ReplicaSetStatus, {})
})
export type ReplicaSetObject = typeof ReplicaSetObject.Type
