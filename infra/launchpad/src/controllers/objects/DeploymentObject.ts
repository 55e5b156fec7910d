/** apps/v1 Deployment as its controller reads it. */
import * as Schema from "effect/Schema"
import { defaulted, intOrString, opaque } from "./FieldSchemas.ts"
import { LabelSelector } from "./LabelSelector.ts"
import { ObjectCondition } from "./ObjectCondition.ts"
import { ObjectMetadata } from "./ObjectMetadata.ts"

const RollingUpdate = Schema.Struct({
  maxSurge: defaulted(intOrString, "25%"),
  maxUnavailable: defaulted(intOrString, "25%")
})

export const DeploymentStatus = Schema.Struct({
  observedGeneration: defaulted(Schema.Int, 0),
  replicas: defaulted(Schema.Int, 0),
  updatedReplicas: defaulted(Schema.Int, 0),
  readyReplicas: defaulted(Schema.Int, 0),
  availableReplicas: defaulted(Schema.Int, 0),
  unavailableReplicas: defaulted(Schema.Int, 0),
  terminatingReplicas: defaulted(Schema.Int, 0),
  collisionCount: Schema.optionalKey(Schema.Int),
  conditions: defaulted(Schema.Array(ObjectCondition), [])
})
export type DeploymentStatus = typeof DeploymentStatus.Type

export const DeploymentObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({
    replicas: defaulted(Schema.Int, 1),
    selector: LabelSelector,
    /** Copied whole into ReplicaSets. */
    template: opaque,
    strategy: defaulted(
      Schema.Struct({
        type: defaulted(Schema.Literals(["RollingUpdate", "Recreate"]), "RollingUpdate"),
        rollingUpdate: defaulted(RollingUpdate, {})
      }),
      {}
    ),
    minReadySeconds: defaulted(Schema.Int, 0),
    revisionHistoryLimit: defaulted(Schema.Int, 10),
    progressDeadlineSeconds: defaulted(Schema.Int, 600),
    paused: defaulted(Schema.Boolean, false)
  }),
  status: defaulted(DeploymentStatus, {})
})
export type DeploymentObject = typeof DeploymentObject.Type
