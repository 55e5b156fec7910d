/** A PodDisruptionBudget and its pods → its status. Follows Kubernetes' disruption controller. */
import type { DisruptionBudgetObject } from "./objects/DisruptionBudgetObject.ts"
import { conditionOf } from "./objects/ObjectCondition.ts"
import { isFinished, isReady, isTerminating, type PodObject } from "./objects/PodObject.ts"
import { toTimestamp } from "./objects/Timestamp.ts"

export interface BudgetFacts {
  readonly budget: DisruptionBudgetObject
  /** Those that the budget selects. */
  readonly pods: ReadonlyArray<PodObject>
  /** How many pods there should be, by what made them; `undefined` for a pod that nothing made. */
  readonly wantedPods: number | undefined
  readonly nowMs: number
}

interface Expectation {
  readonly expectedPods: number
  readonly desiredHealthy: number
}

/** A percentage is rounded up. */
const scaled = (amount: number | string, whole: number): number =>
  typeof amount === "number" ? amount : Math.ceil((Number.parseInt(amount, 10) * whole) / 100)

const expectationOf = ({ budget, pods, wantedPods }: BudgetFacts): Expectation | undefined => {
  const { minAvailable, maxUnavailable } = budget.spec
  if (typeof minAvailable === "number") return { expectedPods: pods.length, desiredHealthy: minAvailable }
  if (minAvailable === undefined && maxUnavailable === undefined)
    return { expectedPods: 0, desiredHealthy: 0 }
  if (wantedPods === undefined) return undefined
  const desiredHealthy =
    maxUnavailable === undefined
      ? scaled(minAvailable ?? 0, wantedPods)
      : Math.max(0, wantedPods - scaled(maxUnavailable, wantedPods))
  return { expectedPods: wantedPods, desiredHealthy }
}

/** Conditions keep their transition time while they say the same. */
const conditionsOf = (
  { budget, nowMs }: BudgetFacts,
  status: "True" | "False",
  reason: string,
  message: string
) => {
  const before = conditionOf(budget.status.conditions, "DisruptionAllowed")
  const kept = before?.status === status ? before.lastTransitionTime : undefined
  return [
    {
      type: "DisruptionAllowed",
      status,
      observedGeneration: budget.metadata.generation,
      lastTransitionTime: kept ?? toTimestamp(nowMs),
      reason,
      message
    }
  ]
}

export const budgetStatus = (facts: BudgetFacts): Readonly<Record<string, unknown>> => {
  const pods = facts.pods.filter((pod) => !isFinished(pod))
  const expectation = expectationOf({ ...facts, pods })
  const currentHealthy = pods.filter((pod) => isReady(pod) && !isTerminating(pod)).length
  if (expectation === undefined) {
    return {
      observedGeneration: facts.budget.metadata.generation,
      disruptionsAllowed: 0,
      currentHealthy,
      desiredHealthy: 0,
      expectedPods: pods.length,
      conditions: conditionsOf(facts, "False", "SyncFailed", "found no controllers for some of its pods")
    }
  }
  const { expectedPods, desiredHealthy } = expectation
  const allowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy)
  return {
    observedGeneration: facts.budget.metadata.generation,
    disruptionsAllowed: allowed,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    conditions: conditionsOf(
      facts,
      allowed > 0 ? "True" : "False",
      allowed > 0 ? "SufficientPods" : "InsufficientPods",
      ""
    )
  }
}
