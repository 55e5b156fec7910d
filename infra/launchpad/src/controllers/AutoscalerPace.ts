/** How fast an autoscaler may follow what it computes: windows in the past, and rates. Pure. */
import type { AutoscalerObject, ScalingRules } from "./objects/AutoscalerObject.ts"

export interface Moment {
  readonly atMs: number
  readonly replicas: number
}

/** What an autoscaler remembers; a restart forgets it, as Kubernetes' controller does. */
export interface AutoscalerMemory {
  readonly recommended: ReadonlyArray<Moment>
  /** Changes of the number of pods; up is positive. */
  readonly scaled: ReadonlyArray<Moment>
}

export interface Pace {
  readonly desired: number
  /** Reason and message of the conditions `AbleToScale` and `ScalingLimited`. */
  readonly able: readonly [reason: string, message: string]
  readonly limited: readonly [isLimited: boolean, reason: string, message: string]
  readonly memory: AutoscalerMemory
}

const percent100 = { type: "Percent", value: 100, periodSeconds: 15 } as const

const defaultUp: ScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: "Max",
  policies: [{ type: "Pods", value: 4, periodSeconds: 15 }, percent100]
}

const defaultDown: ScalingRules = { selectPolicy: "Max", policies: [percent100] }

/** Nothing older matters: no window and no period may be longer. */
const memoryMs = 3_600_000

const since = (moments: ReadonlyArray<Moment>, nowMs: number, seconds: number): ReadonlyArray<Moment> =>
  moments.filter(({ atMs }) => atMs > nowMs - seconds * 1000)

const changeIn = (scaled: ReadonlyArray<Moment>, nowMs: number, seconds: number, sign: 1 | -1): number =>
  since(scaled, nowMs, seconds)
    .filter(({ replicas }) => Math.sign(replicas) === sign)
    .reduce((sum, { replicas }) => sum + Math.abs(replicas), 0)

const upLimit = (
  rules: ScalingRules,
  current: number,
  scaled: ReadonlyArray<Moment>,
  nowMs: number
): number => {
  if (rules.selectPolicy === "Disabled") return current
  const limits = rules.policies.map(({ type, value, periodSeconds }) => {
    const start =
      current - changeIn(scaled, nowMs, periodSeconds, 1) + changeIn(scaled, nowMs, periodSeconds, -1)
    return type === "Pods" ? start + value : Math.ceil(start * (1 + value / 100))
  })
  return rules.selectPolicy === "Min" ? Math.min(...limits) : Math.max(...limits)
}

const downLimit = (
  rules: ScalingRules,
  current: number,
  scaled: ReadonlyArray<Moment>,
  nowMs: number
): number => {
  if (rules.selectPolicy === "Disabled") return current
  const limits = rules.policies.map(({ type, value, periodSeconds }) => {
    const start =
      current - changeIn(scaled, nowMs, periodSeconds, 1) + changeIn(scaled, nowMs, periodSeconds, -1)
    return type === "Pods" ? start - value : Math.floor(start * (1 - value / 100))
  })
  return rules.selectPolicy === "Min" ? Math.max(...limits) : Math.min(...limits)
}

const within = ["DesiredWithinRange", "the desired count is within the acceptable range"] as const

/** `proposed` is what the metrics ask for. */
export const paced = (
  { spec }: AutoscalerObject,
  current: number,
  proposed: number,
  past: AutoscalerMemory,
  nowMs: number,
  downWindowSeconds: number
): Pace => {
  const up = spec.behavior?.scaleUp ?? defaultUp
  const down = spec.behavior?.scaleDown ?? defaultDown
  const recommended = past.recommended.length === 0 ? [{ atMs: nowMs, replicas: current }] : past.recommended
  const lowest = Math.min(
    proposed,
    ...since(recommended, nowMs, up.stabilizationWindowSeconds ?? 0).map(({ replicas }) => replicas)
  )
  const highest = Math.max(
    proposed,
    ...since(recommended, nowMs, down.stabilizationWindowSeconds ?? downWindowSeconds).map(
      ({ replicas }) => replicas
    )
  )
  const stable = Math.min(Math.max(current, lowest), highest)
  const memory = {
    recommended: [
      ...recommended.filter(({ atMs }) => atMs > nowMs - memoryMs),
      { atMs: nowMs, replicas: proposed }
    ],
    scaled: past.scaled.filter(({ atMs }) => atMs > nowMs - memoryMs)
  }
  const able =
    stable === proposed
      ? (["ReadyForNewScale", "recommended size matches current size"] as const)
      : stable > proposed
        ? ([
            "ScaleDownStabilized",
            "recent recommendations were higher than current one, applying the highest recent recommendation"
          ] as const)
        : ([
            "ScaleUpStabilized",
            "recent recommendations were lower than current one, applying the lowest recent recommendation"
          ] as const)
  const most = Math.min(spec.maxReplicas, Math.max(current, upLimit(up, current, past.scaled, nowMs)))
  const least = Math.max(spec.minReplicas, Math.min(current, downLimit(down, current, past.scaled, nowMs)))
  const limited = (): Pace["limited"] => {
    if (stable > most) {
      return most === spec.maxReplicas
        ? [true, "TooManyReplicas", "the desired replica count is more than the maximum replica count"]
        : [true, "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"]
    }
    if (stable < least) {
      return least === spec.minReplicas
        ? [true, "TooFewReplicas", "the desired replica count is less than the minimum replica count"]
        : [
            true,
            "ScaleDownLimit",
            "the desired replica count is decreasing faster than the maximum scale rate"
          ]
    }
    return [false, ...within]
  }
  return { desired: Math.min(Math.max(stable, least), most), able, limited: limited(), memory }
}
