/** One metric of an autoscaler and the pods' usage → how many pods it takes. Follows Kubernetes' replica calculator. Pure. */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type { PodUse } from "../kubernetes/PodMetrics.ts"
import * as Quantity from "../kubernetes/Quantity.ts"
import type { ControllersSettings } from "./ControllersConfig.ts"
import type { ResourceMetric } from "./objects/AutoscalerObject.ts"
import { conditionOf } from "./objects/ObjectCondition.ts"
import { isTerminating, type PodObject } from "./objects/PodObject.ts"
import { fromTimestamp } from "./objects/Timestamp.ts"

export type UsageSettings = Pick<
  ControllersSettings,
  "autoscalerTolerance" | "autoscalerReadinessDelay" | "autoscalerInitialization"
>

export interface UsageInput {
  readonly metric: ResourceMetric
  /** That the target's selector selects. */
  readonly pods: ReadonlyArray<PodObject>
  readonly uses: ReadonlyArray<PodUse>
  readonly replicas: number
  readonly nowMs: number
  readonly settings: UsageSettings
}

export interface Proposal {
  readonly replicas: number
  /** As `status.currentMetrics` has it. */
  readonly current: Readonly<Record<string, unknown>>
  /** For the condition and the Event. */
  readonly words: string
}

/** Thousandths, of processors or of bytes. */
interface Sample {
  readonly pod: PodObject
  readonly use: PodUse | undefined
  readonly amount: number
  readonly request: number | undefined
}

const sumOf = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0)

const sampleOf = ({ metric, uses }: UsageInput, pod: PodObject): Sample => {
  const isMeant = ({ name }: { readonly name: string }) =>
    metric.container === undefined || metric.container === name
  const use = uses.find(
    ({ name, namespace }) => name === pod.metadata.name && namespace === pod.metadata.namespace
  )
  const containers = pod.spec.containers.filter(isMeant)
  const requests = containers.map(({ resources }) => resources.requests[metric.name])
  const amounts = (use?.containers ?? [])
    .filter(isMeant)
    .map(({ cpuNanos, memoryBytes }) =>
      metric.name === "cpu" ? Math.ceil(cpuNanos / 1_000_000) : memoryBytes * 1000
    )
  return {
    pod,
    use,
    amount: sumOf(amounts),
    request: requests.includes(undefined)
      ? undefined
      : sumOf(requests.map((request) => Number(Quantity.amountOf(request))))
  }
}

/** Processor time of a pod's start says nothing about its work. */
const isUnready = ({ metric, nowMs, settings }: UsageInput, { pod, use }: Sample): boolean => {
  if (pod.status.phase === "Pending") return true
  if (metric.name !== "cpu" || use === undefined) return false
  const ready = conditionOf(pod.status.conditions, "Ready")
  const { startTime } = pod.status
  if (ready === undefined || startTime === undefined) return true
  const startMs = fromTimestamp(startTime)
  const turnedMs = fromTimestamp(ready.lastTransitionTime)
  if (startMs + Duration.toMillis(settings.autoscalerInitialization) > nowMs) {
    return ready.status === "False" || use.atMs < turnedMs + use.windowMs
  }
  return ready.status === "False" && startMs + Duration.toMillis(settings.autoscalerReadinessDelay) > turnedMs
}

/** Usage in relation to the target, over these samples. */
const ratioOf = (metric: ResourceMetric, samples: ReadonlyArray<Sample>): number => {
  const used = sumOf(samples.map(({ amount }) => amount))
  const { averageUtilization, averageValue } = metric.target
  if (averageUtilization === undefined) {
    return Math.floor(used / samples.length) / Number(Quantity.amountOf(averageValue))
  }
  const requested = sumOf(samples.map(({ request }) => request ?? 0))
  return Math.floor((used * 100) / requested) / averageUtilization
}

/** What a pod without a measurement is taken to use: all when pods would go, nothing when they would come. */
const assumed = ({ target }: ResourceMetric, sample: Sample, isDown: boolean): Sample => {
  if (!isDown) return { ...sample, amount: 0 }
  const { averageUtilization, averageValue } = target
  const amount =
    averageUtilization === undefined
      ? Number(Quantity.amountOf(averageValue))
      : ((sample.request ?? 0) * Math.max(100, averageUtilization)) / 100
  return { ...sample, amount }
}

const currentOf = (metric: ResourceMetric, samples: ReadonlyArray<Sample>) => {
  const used = sumOf(samples.map(({ amount }) => amount))
  const requested = sumOf(samples.map(({ request }) => request ?? 0))
  const average = Math.floor(used / samples.length)
  return {
    name: metric.name,
    ...(metric.container === undefined ? {} : { container: metric.container }),
    current: {
      averageValue: Quantity.format(BigInt(Math.round(average)), false),
      ...(metric.target.averageUtilization === undefined
        ? {}
        : { averageUtilization: Math.floor((used * 100) / requested) })
    }
  }
}

const replicasFor = (
  input: UsageInput,
  measured: ReadonlyArray<Sample>,
  missing: ReadonlyArray<Sample>,
  unready: ReadonlyArray<Sample>
): number => {
  const { metric, replicas, settings } = input
  const ratio = ratioOf(metric, measured)
  const isOnTarget = (value: number) => Math.abs(1 - value) <= settings.autoscalerTolerance
  const waits = ratio > 1 ? unready : []
  if (waits.length === 0 && missing.length === 0) {
    return isOnTarget(ratio) ? replicas : Math.ceil(ratio * measured.length)
  }
  const all = [
    ...measured,
    ...missing.map((sample) => assumed(metric, sample, ratio < 1)),
    ...waits.map((sample) => assumed(metric, sample, false))
  ]
  const cautious = ratioOf(metric, all)
  const isTurned = (ratio < 1 && cautious > 1) || (ratio > 1 && cautious < 1)
  const wanted = Math.ceil(cautious * all.length)
  const isContrary = (cautious < 1 && wanted > replicas) || (cautious > 1 && wanted < replicas)
  return isOnTarget(cautious) || isTurned || isContrary ? replicas : wanted
}

/** Fails with what is missing. */
export const propose = (input: UsageInput): Result.Result<Proposal, string> => {
  const { metric } = input
  const samples = input.pods
    .filter((pod) => !isTerminating(pod) && pod.status.phase !== "Failed" && pod.status.phase !== "Succeeded")
    .map((pod) => sampleOf(input, pod))
  const unready = samples.filter((sample) => isUnready(input, sample))
  const others = samples.filter((sample) => !unready.includes(sample))
  const measured = others.filter(({ use }) => use !== undefined)
  const missing = others.filter(({ use }) => use === undefined)
  const isRelative = metric.target.averageUtilization !== undefined
  const silent = isRelative ? samples.find(({ request }) => request === undefined) : undefined
  if (silent !== undefined) {
    const container = silent.pod.spec.containers.find(
      ({ resources }) => resources.requests[metric.name] === undefined
    )
    return Result.fail(
      `missing request for ${metric.name} in container ${container?.name ?? ""} of Pod ${silent.pod.metadata.name}`
    )
  }
  if (measured.length === 0) {
    return Result.fail(
      samples.length === 0
        ? "no pods returned by selector while calculating replica count"
        : "did not receive metrics for targeted pods (pods might be unready)"
    )
  }
  return Result.succeed({
    replicas: replicasFor(input, measured, missing, unready),
    current: currentOf(metric, measured),
    words: `${metric.name} resource${isRelative ? " utilization (percentage of request)" : ""}`
  })
}
