/** autoscaling/v2 HorizontalPodAutoscaler as its controller reads it, and what it scales. */
import * as Schema from "effect/Schema"
import { defaulted, intOrString } from "./FieldSchemas.ts"
import { LabelSelector } from "./LabelSelector.ts"
import { ObjectCondition } from "./ObjectCondition.ts"
import { ObjectMetadata } from "./ObjectMetadata.ts"

const ResourceMetric = Schema.Struct({
  name: Schema.String,
  container: Schema.optionalKey(Schema.String),
  target: Schema.Struct({
    averageUtilization: Schema.optionalKey(Schema.Int),
    averageValue: Schema.optionalKey(intOrString)
  })
})
export type ResourceMetric = typeof ResourceMetric.Type

export const Metric = Schema.Struct({
  type: Schema.String,
  resource: Schema.optionalKey(ResourceMetric),
  containerResource: Schema.optionalKey(ResourceMetric)
})
export type Metric = typeof Metric.Type

const ScalingPolicy = Schema.Struct({
  type: Schema.Literals(["Pods", "Percent"]),
  value: Schema.Int,
  /** Seconds, as everything here. */
  periodSeconds: Schema.Int
})

const ScalingRules = Schema.Struct({
  stabilizationWindowSeconds: Schema.optionalKey(Schema.Int),
  selectPolicy: defaulted(Schema.Literals(["Max", "Min", "Disabled"]), "Max"),
  policies: Schema.Array(ScalingPolicy)
})
export type ScalingRules = typeof ScalingRules.Type

export const AutoscalerObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({
    scaleTargetRef: Schema.Struct({ kind: Schema.String, name: Schema.String }),
    minReplicas: defaulted(Schema.Int, 1),
    maxReplicas: Schema.Int,
    metrics: defaulted(Schema.Array(Metric), []),
    behavior: Schema.optionalKey(
      Schema.Struct({
        scaleUp: Schema.optionalKey(ScalingRules),
        scaleDown: Schema.optionalKey(ScalingRules)
      })
    )
  }),
  status: defaulted(
    Schema.Struct({
      lastScaleTime: Schema.optionalKey(Schema.String),
      conditions: defaulted(Schema.Array(ObjectCondition), [])
    }),
    {}
  )
})
export type AutoscalerObject = typeof AutoscalerObject.Type

/** A Deployment or a ReplicaSet. */
export const ScaleTarget = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({ replicas: defaulted(Schema.Int, 1), selector: LabelSelector }),
  status: defaulted(Schema.Struct({ replicas: defaulted(Schema.Int, 0) }), {})
})
export type ScaleTarget = typeof ScaleTarget.Type
