/** One look at an autoscaler, its target and what the pods use → the number of pods, and the status. Pure. */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type { PodUse } from "../kubernetes/PodMetrics.ts"
import { type AutoscalerMemory, paced } from "./AutoscalerPace.ts"
import { able, type Condition, gotScale, type StatusFacts, statusOf } from "./AutoscalerStatus.ts"
import { type Proposal, propose, type UsageSettings } from "./AutoscalerUsage.ts"
import type { ControllersSettings } from "./ControllersConfig.ts"
import type { Metric } from "./objects/AutoscalerObject.ts"
import type { PodObject } from "./objects/PodObject.ts"

export interface AutoscalerFacts extends StatusFacts {
  readonly pods: ReadonlyArray<PodObject>
  readonly uses: ReadonlyArray<PodUse>
  readonly memory: AutoscalerMemory
  readonly settings: UsageSettings & Pick<ControllersSettings, "autoscalerDownWindow">
}

export interface AutoscalerPlan {
  /** `undefined` when the number stays. */
  readonly scaleTo: number | undefined
  readonly status: Readonly<Record<string, unknown>>
  readonly memory: AutoscalerMemory
  readonly warning: { readonly reason: string; readonly message: string } | undefined
  /** Of the Event about a new size. */
  readonly reason: string
}

interface Measured {
  readonly metric: Metric
  readonly proposal: Result.Result<Proposal, string>
}

const measure = (facts: AutoscalerFacts, metric: Metric, replicas: number): Measured => {
  const resource = metric.resource ?? metric.containerResource
  return {
    metric,
    proposal:
      resource === undefined
        ? Result.fail(`metrics of type ${metric.type} are not served here`)
        : propose({ ...facts, metric: resource, replicas })
  }
}

const failureOf = ({ metric, proposal }: Measured): string => {
  const name = (metric.resource ?? metric.containerResource)?.name ?? metric.type
  const kind = metric.resource?.target.averageUtilization === undefined ? "usage" : "utilization"
  return `failed to get ${name} ${kind}: ${Result.isFailure(proposal) ? proposal.failure : ""}`
}

const scaled = (
  facts: AutoscalerFacts,
  current: number,
  proposal: Proposal,
  found: ReadonlyArray<unknown>
): AutoscalerPlan => {
  const { autoscaler, memory, nowMs, settings } = facts
  const window = Duration.toSeconds(settings.autoscalerDownWindow)
  const pace = paced(autoscaler, current, proposal.replicas, memory, nowMs, window)
  const [isLimited, reason, message] = pace.limited
  const isScaled = pace.desired !== current
  const conditions: ReadonlyArray<Condition> = [
    isScaled
      ? able(
          "True",
          "SucceededRescale",
          `the HPA controller was able to update the target scale to ${pace.desired}`
        )
      : able("True", ...pace.able),
    [
      "ScalingActive",
      "True",
      "ValidMetricFound",
      `the HPA was able to successfully calculate a replica count from ${proposal.words}`
    ],
    ["ScalingLimited", isLimited ? "True" : "False", reason, message]
  ]
  return {
    scaleTo: isScaled ? pace.desired : undefined,
    status: statusOf(facts, pace.desired, found, conditions, isScaled),
    memory: {
      ...pace.memory,
      scaled: isScaled
        ? [...pace.memory.scaled, { atMs: nowMs, replicas: pace.desired - current }]
        : pace.memory.scaled
    },
    warning: undefined,
    reason: pace.desired > current ? `${proposal.words} above target` : "All metrics below target"
  }
}

/** What a look comes to that changes nothing. */
const still = (
  facts: AutoscalerFacts,
  desired: number,
  conditions: ReadonlyArray<Condition>,
  warning: AutoscalerPlan["warning"] = undefined,
  found: ReadonlyArray<unknown> = []
): AutoscalerPlan => ({
  scaleTo: undefined,
  status: statusOf(facts, desired, found, conditions, false),
  memory: facts.memory,
  warning,
  reason: ""
})

export const planAutoscaler = (facts: AutoscalerFacts): AutoscalerPlan => {
  const { autoscaler, target } = facts
  const { minReplicas, maxReplicas, scaleTargetRef, metrics } = autoscaler.spec
  if (target === undefined) {
    const missing = `${scaleTargetRef.kind.toLowerCase()}s.apps "${scaleTargetRef.name}" not found`
    const message = `the HPA controller was unable to get the target's current scale: ${missing}`
    return still(facts, 0, [able("False", "FailedGetScale", message)], {
      reason: "FailedGetScale",
      message: missing
    })
  }
  const current = target.spec.replicas
  if (current === 0) {
    const message = "scaling is disabled since the replica count of the target is zero"
    return still(facts, 0, [gotScale, ["ScalingActive", "False", "ScalingDisabled", message]])
  }
  const bounded = Math.min(Math.max(current, minReplicas), maxReplicas)
  if (bounded !== current) {
    const isAbove = current > maxReplicas
    const message = `the HPA controller was able to update the target scale to ${bounded}`
    return {
      scaleTo: bounded,
      status: statusOf(facts, bounded, [], [able("True", "SucceededRescale", message)], true),
      memory: facts.memory,
      warning: undefined,
      reason: isAbove
        ? "Current number of replicas above Spec.MaxReplicas"
        : "Current number of replicas below Spec.MinReplicas"
    }
  }
  const all = metrics.map((metric) => measure(facts, metric, current))
  const valid = all.flatMap(({ metric, proposal }) =>
    Result.isSuccess(proposal) ? [{ metric, proposal: proposal.success }] : []
  )
  const found = valid.map(({ metric, proposal }) => ({
    type: metric.type,
    [metric.resource === undefined ? "containerResource" : "resource"]: proposal.current
  }))
  const best = valid.map(({ proposal }) => proposal).sort((a, b) => b.replicas - a.replicas)[0]
  const invalid = all.filter(({ proposal }) => Result.isFailure(proposal))
  if (best === undefined || (invalid.length > 0 && best.replicas < current)) {
    const [first] = invalid
    const why = first === undefined ? "no metrics" : failureOf(first)
    const reason = "FailedGetResourceMetric"
    const message = `the HPA was unable to compute the replica count: ${why}`
    const condition: Condition = ["ScalingActive", "False", reason, message]
    return still(facts, current, [gotScale, condition], { reason, message: why }, found)
  }
  return scaled(facts, current, best, found)
}
