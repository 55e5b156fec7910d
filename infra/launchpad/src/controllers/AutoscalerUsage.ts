/** One metric of an autoscaler and the pods' usage → how many pods it takes. Follows Kubernetes' replica calculator. Pure. */
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type { PodUse } from "../kubernetes/PodMetrics.ts"
import * as Quantity from "../kubernetes/Quantity.ts"
import type { ControllersSettings } from "./ControllersConfig.ts"
import type { ResourceMetric, Tolerance } from "./objects/AutoscalerObject.ts"
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
  readonly tolerance: Tolerance
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
  /** `undefined` when this was not measured. */
  readonly use: PodUse | undefined
  readonly amount: number
  readonly request: number
  /** Why there is no request to relate the usage to. */
  readonly silent: string | undefined
}

const sumOf = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0)

const useOf = (uses: ReadonlyArray<PodUse>, { metadata }: PodObject): PodUse | undefined =>
  uses.find(({ name, namespace }) => name === metadata.name && namespace === metadata.namespace)

const silence = ({ container, name }: ResourceMetric, { metadata, spec }: PodObject): string | undefined => {
  const meant = spec.containers.filter((one) => container === undefined || one.name === container)
  const silent = meant.find(({ resources }) => resources.requests[name] === undefined)
  if (meant.length === 0) return `container ${container ?? ""} not found in Pod ${metadata.name}`
  return silent === undefined
    ? undefined
    : `missing request for ${name} in container ${silent.name} of Pod ${metadata.name}`
}

const sampleOf = ({ metric, uses }: UsageInput, pod: PodObject): Sample => {
  const isMeant = ({ name }: { readonly name: string }) =>
    metric.container === undefined || metric.container === name
  const use = useOf(uses, pod)
  const amounts = (use?.containers ?? [])
    .filter(isMeant)
    .map(({ cpuNanos, memoryBytes }) =>
      metric.name === "cpu" ? Math.ceil(cpuNanos / 1_000_000) : memoryBytes * 1000
    )
  const requests = pod.spec.containers
    .filter(isMeant)
    .map(({ resources }) => Number(Quantity.amountOf(resources.requests[metric.name])))
  return {
    pod,
    use: amounts.length === 0 ? undefined : use,
    amount: sumOf(amounts),
    request: sumOf(requests),
    silent: silence(metric, pod)
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
  const requested = sumOf(samples.map(({ request }) => request))
  return Math.floor((used * 100) / requested) / averageUtilization
}

/** What a pod without a measurement is taken to use: all when pods would go, nothing when they would come. */
const assumed = ({ target }: ResourceMetric, sample: Sample, isDown: boolean): Sample => {
  if (!isDown) return { ...sample, amount: 0 }
  const { averageUtilization, averageValue } = target
  const amount =
    averageUtilization === undefined
      ? Number(Quantity.amountOf(averageValue))
      : (sample.request * Math.max(100, averageUtilization)) / 100
  return { ...sample, amount }
}

const currentOf = (metric: ResourceMetric, samples: ReadonlyArray<Sample>) => {
  const used = sumOf(samples.map(({ amount }) => amount))
  const requested = sumOf(samples.map(({ request }) => request))
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
  const { metric, replicas, tolerance } = input
  const ratio = ratioOf(metric, measured)
  const isOnTarget = (value: number) => 1 - tolerance.down <= value && value <= 1 + tolerance.up
  const waits = ratio > 1 ? unready : []
  if (waits.length === 0 && missing.length === 0) {
    return isOnTarget(ratio) ? replicas : Math.ceil(ratio * measured.length)
  }
  const all = [
    ...measured,
    ...(ratio === 1 ? [] : missing.map((sample) => assumed(metric, sample, ratio < 1))),
    ...waits.map((sample) => assumed(metric, sample, false))
  ]
  const cautious = ratioOf(metric, all)
  const isTurned = (ratio < 1 && cautious > 1) || (ratio > 1 && cautious < 1)
  const wanted = Math.ceil(cautious * all.length)
  const isContrary = (cautious < 1 && wanted > replicas) || (cautious > 1 && wanted < replicas)
  return isOnTarget(cautious) || isTurned || isContrary ? replicas : wanted
}

const words = ({ container, name, target }: ResourceMetric): string =>
  target.averageUtilization === undefined
    ? `${name} resource`
    : `${name} ${container === undefined ? "" : "container "}resource utilization (percentage of request)`

const isCounted = ({ pod }: Sample): boolean => !isTerminating(pod) && pod.status.phase !== "Failed"

/** Fails with what is missing, in the order in which Kubernetes would miss it. */
export const propose = (input: UsageInput): Result.Result<Proposal, string> => {
  const { metric, pods, uses } = input
  if (!pods.some((pod) => useOf(uses, pod) !== undefined)) {
    return Result.fail(
      `unable to get metrics for resource ${metric.name}: no metrics returned from resource metrics API`
    )
  }
  const all = pods.map((pod) => sampleOf(input, pod))
  const unready = all.filter((sample) => isCounted(sample) && isUnready(input, sample))
  const others = all.filter((sample) => isCounted(sample) && !unready.includes(sample))
  const measured = others.filter(({ use }) => use !== undefined)
  const missing = others.filter(({ use }) => use === undefined)
  if (measured.length === 0) {
    return Result.fail("did not receive metrics for targeted pods (pods might be unready)")
  }
  if (metric.target.averageUtilization !== undefined) {
    const silent = all.find((sample) => sample.silent !== undefined)?.silent
    if (silent !== undefined) return Result.fail(silent)
    if (sumOf(measured.map(({ request }) => request)) === 0) {
      return Result.fail("no metrics returned matched known pods")
    }
  }
  return Result.succeed({
    replicas: replicasFor(input, measured, missing, unready),
    current: currentOf(metric, measured),
    words: words(metric)
  })
}
