/** How fast an autoscaler may follow what it computes: windows in the past, and rates. Pure. */
import type { AutoscalerObject, ScalingBehavior, ScalingRules } from "./objects/AutoscalerObject.ts"

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

/** Nothing older matters: no window and no period may be longer. */
const memoryMs = 3_600_000

const since = (moments: ReadonlyArray<Moment>, nowMs: number, seconds: number): ReadonlyArray<Moment> =>
  moments.filter(({ atMs }) => atMs > nowMs - seconds * 1000)

const changeIn = (scaled: ReadonlyArray<Moment>, nowMs: number, seconds: number, sign: 1 | -1): number =>
  since(scaled, nowMs, seconds)
    .filter(({ replicas }) => Math.sign(replicas) === sign)
    .reduce((sum, { replicas }) => sum + Math.abs(replicas), 0)

/** The numbers between which a rule's policies let one go, from what there was when each policy's period began. */
const limitOf = (
  rules: ScalingRules,
  current: number,
  scaled: ReadonlyArray<Moment>,
  nowMs: number,
  sign: 1 | -1
): number => {
  if (rules.selectPolicy === "Disabled") return current
  const limits = rules.policies.map(({ type, value, periodSeconds }) => {
    const start =
      current - changeIn(scaled, nowMs, periodSeconds, 1) + changeIn(scaled, nowMs, periodSeconds, -1)
    if (type === "Pods") return start + sign * value
    const wanted = start * (1 + (sign * value) / 100)
    return sign === 1 ? Math.ceil(wanted) : Math.trunc(wanted)
  })
  const isFurthest = rules.selectPolicy === "Max"
  return isFurthest === (sign === 1) ? Math.max(...limits) : Math.min(...limits)
}

interface Move {
  /** What is wanted after a look at the windows. */
  readonly stable: number
  /** How many pods there may be at most and at least, by the rates alone. */
  readonly upLimit: number
  readonly downLimit: number
}

/** Without `spec.behavior`: the highest of the window, at most twice as many (or four), down at any rate. */
const plainMove = (
  current: number,
  proposed: number,
  { recommended }: AutoscalerMemory,
  nowMs: number,
  downWindowSeconds: number
): Move => ({
  stable: Math.max(proposed, ...since(recommended, nowMs, downWindowSeconds).map(({ replicas }) => replicas)),
  upLimit: Math.max(2 * current, 4),
  downLimit: 0
})

const ruledMove = (
  { scaleUp, scaleDown }: ScalingBehavior,
  current: number,
  proposed: number,
  { recommended, scaled }: AutoscalerMemory,
  nowMs: number,
  downWindowSeconds: number
): Move => {
  const window = (seconds: number) => since(recommended, nowMs, seconds).map(({ replicas }) => replicas)
  const lowest = Math.min(proposed, ...window(scaleUp.stabilizationWindowSeconds ?? 0))
  const highest = Math.max(proposed, ...window(scaleDown.stabilizationWindowSeconds ?? downWindowSeconds))
  return {
    stable: Math.min(Math.max(current, lowest), highest),
    upLimit: Math.max(current, limitOf(scaleUp, current, scaled, nowMs, 1)),
    downLimit: Math.min(current, limitOf(scaleDown, current, scaled, nowMs, -1))
  }
}

/** The memory of an autoscaler that is looked at for the first time begins with the pods that there are. */
export const remembered = (past: AutoscalerMemory, nowMs: number, current: number): AutoscalerMemory =>
  past.recommended.length > 0 ? past : { ...past, recommended: [{ atMs: nowMs, replicas: current }] }

/** The memory after a change of the number of pods. */
export const withScale = (past: AutoscalerMemory, nowMs: number, change: number): AutoscalerMemory => ({
  ...past,
  scaled: [...past.scaled, { atMs: nowMs, replicas: change }]
})

const limitedBy = (spec: AutoscalerObject["spec"], { stable, upLimit, downLimit }: Move): Pace["limited"] => {
  if (stable > Math.min(spec.maxReplicas, upLimit)) {
    return spec.maxReplicas > upLimit
      ? [true, "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate"]
      : [true, "TooManyReplicas", "the desired replica count is more than the maximum replica count"]
  }
  if (stable < Math.max(spec.minReplicas, downLimit)) {
    return spec.minReplicas < downLimit
      ? [true, "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate"]
      : [true, "TooFewReplicas", "the desired replica count is less than the minimum replica count"]
  }
  return [false, "DesiredWithinRange", "the desired count is within the acceptable range"]
}

const ableBy = (stable: number, proposed: number): Pace["able"] => {
  if (stable === proposed) return ["ReadyForNewScale", "recommended size matches current size"]
  return stable > proposed
    ? [
        "ScaleDownStabilized",
        "recent recommendations were higher than current one, applying the highest recent recommendation"
      ]
    : [
        "ScaleUpStabilized",
        "recent recommendations were lower than current one, applying the lowest recent recommendation"
      ]
}

/** `proposed` is what the metrics ask for. */
export const paced = (
  { spec }: AutoscalerObject,
  current: number,
  proposed: number,
  past: AutoscalerMemory,
  nowMs: number,
  downWindowSeconds: number
): Pace => {
  const move =
    spec.behavior === undefined
      ? plainMove(current, proposed, past, nowMs, downWindowSeconds)
      : ruledMove(spec.behavior, current, proposed, past, nowMs, downWindowSeconds)
  const { stable, upLimit, downLimit } = move
  const fresh = (moments: ReadonlyArray<Moment>) => moments.filter(({ atMs }) => atMs > nowMs - memoryMs)
  return {
    desired: Math.min(Math.max(stable, spec.minReplicas, downLimit), Math.min(spec.maxReplicas, upLimit)),
    able: ableBy(stable, proposed),
    limited: limitedBy(spec, move),
    memory: {
      recommended: [...fresh(past.recommended), { atMs: nowMs, replicas: proposed }],
      scaled: fresh(past.scaled)
    }
  }
}
