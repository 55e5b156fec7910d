/** The status of an autoscaler, in Kubernetes' shape and wording. Pure. */
import type { AutoscalerObject, ScaleTarget } from "./objects/AutoscalerObject.ts"
import { conditionOf } from "./objects/ObjectCondition.ts"
import { toTimestamp } from "./objects/Timestamp.ts"

export interface StatusFacts {
  readonly autoscaler: AutoscalerObject
  /** `undefined` when there is no such workload. */
  readonly target: ScaleTarget | undefined
  readonly nowMs: number
}

export type Condition = readonly [type: string, status: "True" | "False", reason: string, message: string]

/** What one look found. */
export interface Findings {
  readonly desired: number
  /** In the order of `spec.metrics`; `null` when none was looked at. */
  readonly metrics: unknown
  readonly conditions: ReadonlyArray<Condition>
  readonly isScaled: boolean
}

export const able = (status: "True" | "False", reason: string, message: string): Condition => [
  "AbleToScale",
  status,
  reason,
  message
]

export const gotScale = able(
  "True",
  "SucceededGetScale",
  "the HPA controller was able to get the target's current scale"
)

/** Conditions in Kubernetes' order; a transition time moves with the status. */
const conditionsOf = ({ autoscaler, nowMs }: StatusFacts, given: ReadonlyArray<Condition>) => {
  const types = new Set(given.map(([type]) => type))
  const kept = autoscaler.status.conditions
    .filter(({ type }) => !types.has(type))
    .map(({ type, status, reason, message, lastTransitionTime }) => ({
      type,
      status,
      lastTransitionTime,
      reason,
      message
    }))
  const fresh = given.map(([type, status, reason, message]) => {
    const before = conditionOf(autoscaler.status.conditions, type)
    const same = before?.status === status ? before.lastTransitionTime : undefined
    return { type, status, lastTransitionTime: same ?? toTimestamp(nowMs), reason, message }
  })
  const order = ["AbleToScale", "ScalingActive", "ScalingLimited"]
  return [...fresh, ...kept].sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type))
}

/** Without a target only the conditions change. The current number is the one that was found, not the one just written. */
export const statusOf = (facts: StatusFacts, { desired, metrics, conditions, isScaled }: Findings) => {
  const { autoscaler, nowMs, target } = facts
  const lastScaleTime = isScaled ? toTimestamp(nowMs) : autoscaler.status.lastScaleTime
  const current = target === undefined ? autoscaler.status.currentReplicas : target.spec.replicas
  return {
    ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
    ...(current === 0 ? {} : { currentReplicas: current }),
    desiredReplicas: desired,
    currentMetrics: metrics,
    conditions: conditionsOf(facts, conditions)
  }
}
