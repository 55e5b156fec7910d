/** Conditions of a Deployment: reasons, wording and times as Kubernetes' deployment controller writes them. */
import { fromTimestamp, toTimestamp } from "./objects/Timestamp.ts"
import type { DeploymentObject, DeploymentStatus } from "./objects/DeploymentObject.ts"
import { conditionOf, type ObjectCondition } from "./objects/ObjectCondition.ts"

/** Value of `progressDeadlineSeconds` that means "no deadline" (MaxInt32). */
const noDeadline = 2_147_483_647

export const hasDeadline = (deployment: DeploymentObject): boolean =>
  deployment.spec.progressDeadlineSeconds !== noDeadline

export const makeCondition = (
  type: string,
  status: "True" | "False" | "Unknown",
  reason: string,
  message: string,
  nowMs: number
): ObjectCondition => ({
  type,
  status,
  lastUpdateTime: toTimestamp(nowMs),
  lastTransitionTime: toTimestamp(nowMs),
  reason,
  message
})

export const withoutCondition = (
  conditions: ReadonlyArray<ObjectCondition>,
  type: string
): ReadonlyArray<ObjectCondition> => conditions.filter((condition) => condition.type !== type)

/** No change when status and reason are the same; the transition time moves only with the status. */
export const withCondition = (
  conditions: ReadonlyArray<ObjectCondition>,
  next: ObjectCondition
): ReadonlyArray<ObjectCondition> => {
  const current = conditionOf(conditions, next.type)
  if (current?.status === next.status && current.reason === next.reason) {
    return conditions
  }
  const settled =
    current?.status === next.status && current.lastTransitionTime !== undefined
      ? { ...next, lastTransitionTime: current.lastTransitionTime }
      : next
  return [...withoutCondition(conditions, next.type), settled]
}

export const availableCondition = (available: number, minAvailable: number, nowMs: number): ObjectCondition =>
  available >= minAvailable
    ? makeCondition(
        "Available",
        "True",
        "MinimumReplicasAvailable",
        "Deployment has minimum availability.",
        nowMs
      )
    : makeCondition(
        "Available",
        "False",
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
        nowMs
      )

/** Every pod is of the newest template, available, and nothing else is left. */
export const isComplete = (deployment: DeploymentObject, status: DeploymentStatus): boolean =>
  status.updatedReplicas === deployment.spec.replicas &&
  status.replicas === deployment.spec.replicas &&
  status.availableReplicas === deployment.spec.replicas &&
  status.observedGeneration >= deployment.metadata.generation

const isProgressing = (before: DeploymentStatus, after: DeploymentStatus): boolean =>
  after.updatedReplicas > before.updatedReplicas ||
  after.replicas - after.updatedReplicas < before.replicas - before.updatedReplicas ||
  after.readyReplicas > before.readyReplicas ||
  after.availableReplicas > before.availableReplicas

/** Seconds until the progress deadline, counted from the last progress; `undefined` when none is running. */
export const secondsToDeadline = (
  deployment: DeploymentObject,
  conditions: ReadonlyArray<ObjectCondition>,
  nowMs: number
): number | undefined => {
  const current = conditionOf(conditions, "Progressing")
  if (
    !hasDeadline(deployment) ||
    current === undefined ||
    current.reason === "NewReplicaSetAvailable" ||
    current.reason === "ProgressDeadlineExceeded"
  ) {
    return undefined
  }
  return deployment.spec.progressDeadlineSeconds - (nowMs - fromTimestamp(current.lastUpdateTime)) / 1000
}

/** The Progressing condition after one look at a rollout. */
export const progressConditions = (
  deployment: DeploymentObject,
  after: DeploymentStatus,
  subject: string,
  nowMs: number
): ReadonlyArray<ObjectCondition> => {
  const conditions = after.conditions
  if (!hasDeadline(deployment)) {
    return withoutCondition(conditions, "Progressing")
  }
  const current = conditionOf(conditions, "Progressing")
  if (after.replicas === after.updatedReplicas && current?.reason === "NewReplicaSetAvailable") {
    return conditions
  }
  if (isComplete(deployment, after)) {
    const message = `${subject} has successfully progressed.`
    return withCondition(
      conditions,
      makeCondition("Progressing", "True", "NewReplicaSetAvailable", message, nowMs)
    )
  }
  if (isProgressing(deployment.status, after)) {
    const next = makeCondition(
      "Progressing",
      "True",
      "ReplicaSetUpdated",
      `${subject} is progressing.`,
      nowMs
    )
    const since = current?.status === "True" ? current.lastTransitionTime : undefined
    return [
      ...withoutCondition(conditions, "Progressing"),
      since === undefined ? next : { ...next, lastTransitionTime: since }
    ]
  }
  const left = secondsToDeadline(deployment, conditions, nowMs)
  return left !== undefined && left <= 0
    ? withCondition(
        conditions,
        makeCondition(
          "Progressing",
          "False",
          "ProgressDeadlineExceeded",
          `${subject} has timed out progressing.`,
          nowMs
        )
      )
    : conditions
}

/** Pausing stops the deadline; a deadline that has passed stays visible. */
export const pausedConditions = (
  deployment: DeploymentObject,
  nowMs: number
): ReadonlyArray<ObjectCondition> => {
  const conditions = deployment.status.conditions
  const reason = conditionOf(conditions, "Progressing")?.reason
  if (!hasDeadline(deployment) || reason === "ProgressDeadlineExceeded") {
    return conditions
  }
  if (deployment.spec.paused && reason !== "DeploymentPaused") {
    return withCondition(
      conditions,
      makeCondition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", nowMs)
    )
  }
  return !deployment.spec.paused && reason === "DeploymentPaused"
    ? withCondition(
        conditions,
        makeCondition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", nowMs)
      )
    : conditions
}
