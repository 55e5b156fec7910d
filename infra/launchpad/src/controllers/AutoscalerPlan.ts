/** One look at an autoscaler, its target and what the pods use → the number of pods, and the status. Pure. */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type { PodUse } from "../kubernetes/PodMetrics.ts"
import { type AutoscalerMemory, type Pace, paced, remembered } from "./AutoscalerPace.ts"
import { able, type Condition, type Findings, gotScale, type StatusFacts } from "./AutoscalerStatus.ts"
import { measure, type Measured } from "./AutoscalerMetrics.ts"
import type { Proposal, UsageSettings } from "./AutoscalerUsage.ts"
import type { ControllersSettings } from "./ControllersConfig.ts"
import { missingTarget } from "./objects/AutoscalerObject.ts"
import type { PodObject } from "./objects/PodObject.ts"

export interface AutoscalerFacts extends StatusFacts {
  /** That the target's selector selects, and that selector. */
  readonly pods: ReadonlyArray<PodObject>
  readonly selector: string
  readonly uses: ReadonlyArray<PodUse>
  /** `namespace/name` of every autoscaler whose target has one of the pods, this one among them. */
  readonly claimants: ReadonlyArray<string>
  readonly memory: AutoscalerMemory
  readonly settings: UsageSettings & Pick<ControllersSettings, "autoscalerDownWindow">
}

export interface Warning {
  readonly reason: string
  readonly message: string
}

/** `isScaled` says that the number shall be `desired`, for this reason. */
export interface AutoscalerPlan extends Findings {
  readonly reason: string
  readonly memory: AutoscalerMemory
  readonly warnings: ReadonlyArray<Warning>
}

/** What a look comes to that changes nothing. */
const still = (facts: AutoscalerFacts, conditions: ReadonlyArray<Condition>): AutoscalerPlan => ({
  desired: facts.autoscaler.status.desiredReplicas,
  metrics: facts.autoscaler.status.currentMetrics ?? null,
  conditions,
  isScaled: false,
  reason: "",
  memory: facts.memory,
  warnings: []
})

/** The number cannot be told. Only what was desired before stays. */
const unknown = (
  facts: AutoscalerFacts,
  metrics: unknown,
  condition: readonly [reason: string, message: string],
  warnings: ReadonlyArray<Warning>
): AutoscalerPlan => ({
  ...still(facts, [gotScale, ["ScalingActive", "False", ...condition]]),
  metrics,
  warnings
})

const rescaled = (number: number): Condition =>
  able("True", "SucceededRescale", `the HPA controller was able to update the target scale to ${number}`)

const limitedOf = ({ limited: [isLimited, reason, message] }: Pace): Condition => [
  "ScalingLimited",
  isLimited ? "True" : "False",
  reason,
  message
]

const paceOf = (facts: AutoscalerFacts, current: number, proposal: Proposal): AutoscalerPlan => {
  const { autoscaler, memory, nowMs, settings } = facts
  const window = Duration.toSeconds(settings.autoscalerDownWindow)
  const pace = paced(autoscaler, current, proposal.replicas, memory, nowMs, window)
  const isScaled = pace.desired !== current
  return {
    ...still(facts, [
      isScaled ? rescaled(pace.desired) : able("True", ...pace.able),
      [
        "ScalingActive",
        "True",
        "ValidMetricFound",
        `the HPA was able to successfully calculate a replica count from ${proposal.words}`
      ],
      limitedOf(pace)
    ]),
    desired: pace.desired,
    isScaled,
    reason: proposal.replicas > current ? `${proposal.words} above target` : "All metrics below target",
    memory: pace.memory
  }
}

const warningOf = ({ reason, failure }: Measured): ReadonlyArray<Warning> =>
  failure === undefined ? [] : [{ reason, message: failure }]

/** The metric that asks for most; while one is missing, never fewer pods than there are. */
const byMetrics = (facts: AutoscalerFacts, current: number): AutoscalerPlan => {
  const all = facts.autoscaler.spec.metrics.map((metric) => measure(facts, metric, current))
  const metrics = all.map(({ status }) => status)
  const warnings = all.flatMap(warningOf)
  const best = all
    .flatMap(({ proposal }) => (Result.isSuccess(proposal) ? [proposal.success] : []))
    .reduce<Proposal | undefined>(
      (most, one) => (most === undefined || one.replicas > most.replicas ? one : most),
      undefined
    )
  const invalid = all.filter(({ failure }) => failure !== undefined)
  const [first] = invalid
  if (best !== undefined && (first === undefined || best.replicas >= current)) {
    return { ...paceOf(facts, current, best), metrics, warnings }
  }
  const why = `invalid metrics (${invalid.length} invalid out of ${all.length}), first error is: ${first?.prefix ?? ""}${first?.failure ?? "none"}`
  const message = `the HPA was unable to compute the replica count: ${first?.failure ?? "there are no metrics"}`
  return unknown(
    facts,
    metrics,
    [first?.reason ?? "FailedGetResourceMetric", message],
    [...warnings, { reason: "FailedComputeMetricsReplicas", message: why }]
  )
}

export const planAutoscaler = (given: AutoscalerFacts): AutoscalerPlan => {
  const { autoscaler, target, nowMs } = given
  const { minReplicas, maxReplicas } = autoscaler.spec
  if (target === undefined) {
    const missing = missingTarget(autoscaler)
    const message = `the HPA controller was unable to get the target's current scale: ${missing}`
    const conditions = [able("False", "FailedGetScale", message)]
    return { ...still(given, conditions), warnings: [{ reason: "FailedGetScale", message: missing }] }
  }
  const current = target.spec.replicas
  const facts = { ...given, memory: remembered(given.memory, nowMs, current) }
  if (current === 0) {
    const message = "scaling is disabled since the replica count of the target is zero"
    const conditions: ReadonlyArray<Condition> = [
      gotScale,
      ["ScalingActive", "False", "ScalingDisabled", message]
    ]
    return { ...still(facts, conditions), desired: 0, metrics: null }
  }
  const bounded = Math.min(Math.max(current, minReplicas), maxReplicas)
  if (bounded !== current) {
    const side = current > maxReplicas ? "above Spec.MaxReplicas" : "below Spec.MinReplicas"
    return {
      ...still(facts, [rescaled(bounded)]),
      desired: bounded,
      metrics: null,
      isScaled: true,
      reason: `Current number of replicas ${side}`
    }
  }
  if (facts.claimants.length > 1) {
    const message = `pods by selector ${facts.selector} are controlled by multiple HPAs: [${facts.claimants.join(" ")}]`
    return unknown(
      facts,
      null,
      ["AmbiguousSelector", message],
      [
        { reason: "AmbiguousSelector", message },
        { reason: "FailedComputeMetricsReplicas", message }
      ]
    )
  }
  return byMetrics(facts, current)
}

/** What a plan comes to when the new scale could not be written. */
export const refused = (facts: AutoscalerFacts, plan: AutoscalerPlan, why: string): AutoscalerPlan => {
  const message = `the HPA controller was unable to update the target scale: ${why}`
  const others = plan.conditions.filter(([type]) => type !== "AbleToScale")
  return {
    ...plan,
    desired: facts.autoscaler.status.desiredReplicas,
    conditions: [able("False", "FailedUpdateScale", message), ...others],
    isScaled: false,
    warnings: [
      ...plan.warnings,
      { reason: "FailedRescale", message: `New size: ${plan.desired}; reason: ${plan.reason}; error: ${why}` }
    ]
  }
}
