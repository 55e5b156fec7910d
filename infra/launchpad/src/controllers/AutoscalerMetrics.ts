/** One of an autoscaler's metrics, with what is said of it: in the status, in a condition, in Events. Pure. */
import * as Result from "effect/Result"
import { type Proposal, propose, type UsageInput } from "./AutoscalerUsage.ts"
import { type AutoscalerObject, type Metric, toleranceOf } from "./objects/AutoscalerObject.ts"

export interface Measured {
  readonly proposal: Result.Result<Proposal, string>
  /** As `status.currentMetrics` has it; one that cannot be told keeps its place. */
  readonly status: Readonly<Record<string, unknown>>
  /** What is missing, and how Kubernetes calls that. */
  readonly failure: string | undefined
  readonly reason: string
  readonly prefix: string
}

export interface MetricFacts extends Omit<UsageInput, "metric" | "replicas" | "tolerance"> {
  readonly autoscaler: AutoscalerObject
}

const failed = (type: string, failure: string, subject: string): Measured => ({
  proposal: Result.fail(failure),
  status: { type: "" },
  failure,
  reason: `FailedGet${type}Metric`,
  prefix: `failed to get ${subject} metric value: `
})

export const measure = (facts: MetricFacts, metric: Metric, replicas: number): Measured => {
  const { type } = metric
  const resource = type === "Resource" ? metric.resource : metric.containerResource
  if (resource === undefined) {
    return failed(type, `metrics of type ${type} are not served here`, type.toLowerCase())
  }
  const tolerance = toleranceOf(facts.autoscaler, facts.settings.autoscalerTolerance)
  const proposal = propose({ ...facts, tolerance, metric: resource, replicas })
  if (Result.isFailure(proposal)) {
    const kind = resource.target.averageUtilization === undefined ? "usage" : "utilization"
    const { container, name } = resource
    const subject = container === undefined ? `${name} resource` : `${container} container`
    return failed(type, `failed to get ${name} ${kind}: ${proposal.failure}`, subject)
  }
  const field = type === "Resource" ? "resource" : "containerResource"
  return {
    proposal,
    status: { type, [field]: proposal.success.current },
    failure: undefined,
    reason: "",
    prefix: ""
  }
}
