/** autoscaling/v2 HorizontalPodAutoscaler as its controller reads it, and what it scales. */
import * as Schema from "effect/Schema"
import type { ObjectKey, ResourceName } from "../../kubernetes/ClusterObjects.ts"
import * as Quantity from "../../kubernetes/Quantity.ts"
import { defaulted, intOrString } from "./FieldSchemas.ts"
import { LabelSelector } from "./LabelSelector.ts"
import { ObjectCondition } from "./ObjectCondition.ts"
import { ObjectMetadata } from "./ObjectMetadata.ts"

const groupOf = (apiVersion: string): string => apiVersion.split("/").slice(0, -1).join("")

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
  /** Part of the target by which usage may differ: a quantity. */
  tolerance: Schema.optionalKey(intOrString),
  stabilizationWindowSeconds: Schema.optionalKey(Schema.Int),
  selectPolicy: defaulted(Schema.Literals(["Max", "Min", "Disabled"]), "Max"),
  policies: Schema.Array(ScalingPolicy)
})
export type ScalingRules = typeof ScalingRules.Type

/** The server fills in both as soon as there is one. */
const ScalingBehavior = Schema.Struct({ scaleUp: ScalingRules, scaleDown: ScalingRules })
export type ScalingBehavior = typeof ScalingBehavior.Type

export const AutoscalerObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({
    scaleTargetRef: Schema.Struct({
      apiVersion: defaulted(Schema.String, ""),
      kind: Schema.String,
      name: Schema.String
    }),
    minReplicas: defaulted(Schema.Int, 1),
    maxReplicas: Schema.Int,
    metrics: defaulted(Schema.Array(Metric), []),
    behavior: Schema.optionalKey(ScalingBehavior)
  }),
  status: defaulted(
    Schema.Struct({
      lastScaleTime: Schema.optionalKey(Schema.String),
      currentReplicas: defaulted(Schema.Int, 0),
      desiredReplicas: defaulted(Schema.Int, 0),
      currentMetrics: Schema.optionalKey(Schema.Unknown),
      conditions: defaulted(Schema.Array(ObjectCondition), [])
    }),
    {}
  )
})
export type AutoscalerObject = typeof AutoscalerObject.Type

/** A Deployment or a ReplicaSet. */
export const ScaleTarget = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({ replicas: defaulted(Schema.Int, 1), selector: LabelSelector })
})
export type ScaleTarget = typeof ScaleTarget.Type

const scalable: Readonly<Record<string, ResourceName>> = {
  "apps/Deployment": "apps/deployments",
  "apps/ReplicaSet": "apps/replicasets"
}

/** `undefined` for a kind that has no scale here. */
export const targetKey = ({ metadata, spec }: AutoscalerObject): ObjectKey | undefined => {
  const { apiVersion, kind, name } = spec.scaleTargetRef
  const resource = scalable[`${groupOf(apiVersion)}/${kind}`]
  return resource === undefined ? undefined : { resource, namespace: metadata.namespace, name }
}

/** Why there is nothing to scale, in the API server's words. */
export const missingTarget = (autoscaler: AutoscalerObject): string => {
  const { apiVersion, kind, name } = autoscaler.spec.scaleTargetRef
  return targetKey(autoscaler) === undefined
    ? `no matches for kind "${kind}" in group "${groupOf(apiVersion)}"`
    : `${kind.toLowerCase()}s.${groupOf(apiVersion)} "${name}" not found`
}

/** Parts of the target by which usage may be above and below it. */
export interface Tolerance {
  readonly up: number
  readonly down: number
}

export const toleranceOf = ({ spec }: AutoscalerObject, otherwise: number): Tolerance => {
  const of = (rules: ScalingRules | undefined) =>
    rules?.tolerance === undefined ? otherwise : Number(Quantity.amountOf(rules.tolerance)) / 1000
  return { up: of(spec.behavior?.scaleUp), down: of(spec.behavior?.scaleDown) }
}
