/**
 * How many pods each ReplicaSet may have at one step of a rolling update, as in Kubernetes'
 * `pkg/controller/deployment` (rolling.go, sync.go). Pure numbers; INV-CTL-3 is proved on these.
 */

/** What the arithmetic needs to know of a ReplicaSet; the order given is the order of creation. */
export interface ReplicaCount {
  readonly name: string
  readonly replicas: number
  readonly available: number
}

export interface SurgeLimits {
  readonly maxSurge: number
  readonly maxUnavailable: number
}

/** A new size for one ReplicaSet. */
export interface Resize {
  readonly name: string
  readonly from: number
  readonly to: number
}

const sum = (counts: ReadonlyArray<number>): number => counts.reduce((total, count) => total + count, 0)

const share = (value: number | string, replicas: number, round: (value: number) => number): number =>
  typeof value === "number" ? value : round((Number.parseInt(value, 10) * replicas) / 100)

/** Percentages of `replicas`: surge rounds up, unavailability down; both zero would never move, so one may then be unavailable. */
export const surgeLimits = (
  maxSurge: number | string,
  maxUnavailable: number | string,
  replicas: number
): SurgeLimits => {
  const surge = share(maxSurge, replicas, Math.ceil)
  const unavailable = Math.min(share(maxUnavailable, replicas, Math.floor), replicas)
  return { maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

/** Size of the new ReplicaSet: grows only into the room that `maxSurge` leaves. */
export const newReplicas = (
  desired: number,
  limits: SurgeLimits,
  current: ReplicaCount,
  old: ReadonlyArray<ReplicaCount>
): number => {
  if (current.replicas >= desired) {
    return desired
  }
  const room = desired + limits.maxSurge - current.replicas - sum(old.map((set) => set.replicas))
  return room <= 0 ? current.replicas : current.replicas + Math.min(room, desired - current.replicas)
}

const shrink = (
  old: ReadonlyArray<ReplicaCount>,
  budget: number,
  removable: (set: ReplicaCount) => number
): ReadonlyArray<ReplicaCount> => {
  let left = budget
  return old.map((set) => {
    const taken = Math.max(0, Math.min(left, removable(set)))
    left -= taken
    return { ...set, replicas: set.replicas - taken }
  })
}

/**
 * Sizes of the old ReplicaSets: first the pods that are not available anyway, so that a broken old release
 * cannot block the update, then available ones as far as the new release's available pods make up for them.
 */
export const oldReplicas = (
  desired: number,
  limits: SurgeLimits,
  current: ReplicaCount,
  old: ReadonlyArray<ReplicaCount>
): ReadonlyArray<Resize> => {
  const minAvailable = desired - limits.maxUnavailable
  const total = current.replicas + sum(old.map((set) => set.replicas))
  const budget = total - minAvailable - (current.replicas - current.available)
  if (budget <= 0) {
    return []
  }
  const healthy = shrink(old, budget, (set) => set.replicas - Math.min(set.available, set.replicas))
  const removed = sum(old.map((set) => set.replicas)) - sum(healthy.map((set) => set.replicas))
  const spare = current.available + sum(old.map((set) => set.available)) - minAvailable
  const shrunk = shrink(healthy, Math.min(spare, budget - removed), (set) => set.replicas)
  return old.flatMap((set, index) => {
    const to = shrunk[index]?.replicas ?? set.replicas
    return to === set.replicas ? [] : [{ name: set.name, from: set.replicas, to }]
  })
}

/** A ReplicaSet and the limit that held when it was last sized (annotation `max-replicas`). */
export interface Proportion extends ReplicaCount {
  readonly maxReplicas: number
}

/**
 * A change of scale in the middle of a rollout (or of a paused one) is spread over the active ReplicaSets in
 * proportion to their sizes; what rounding leaves goes to the largest.
 */
export const proportionalReplicas = (
  desired: number,
  limits: SurgeLimits,
  active: ReadonlyArray<Proportion>
): ReadonlyArray<Resize> => {
  const allowed = desired === 0 ? 0 : desired + limits.maxSurge
  const toAdd = allowed - sum(active.map((set) => set.replicas))
  const largestFirst = [...active].sort((left, right) => right.replicas - left.replicas)
  let added = 0
  const sized = largestFirst.map((set) => {
    const wanted = Math.round((set.replicas * allowed) / Math.max(1, set.maxReplicas)) - set.replicas
    const remaining = toAdd - added
    const part =
      toAdd > 0 ? Math.min(Math.max(0, wanted), remaining) : Math.max(Math.min(0, wanted), remaining)
    added += part
    return { set, to: set.replicas + part }
  })
  return sized.flatMap(({ set, to }, index) => {
    const size = Math.max(0, index === 0 ? to + (toAdd - added) : to)
    return size === set.replicas ? [] : [{ name: set.name, from: set.replicas, to: size }]
  })
}
