/** One look at a ReplicaSet and its pods → pods to create, pods to delete, status. Follows Kubernetes' replicaset controller. */
import { fromTimestamp } from "./objects/Timestamp.ts"
import { conditionOf } from "./objects/ObjectCondition.ts"
import { isFinished, isReady, isTerminating, type PodObject } from "./objects/PodObject.ts"
import type { ReplicaSetObject, ReplicaSetStatus } from "./objects/ReplicaSetObject.ts"

/** Annotation: among equals the pod with the lower cost goes first. */
const deletionCost = "controller.kubernetes.io/pod-deletion-cost"

export interface ReplicaSetPlan {
  /** How many pods to create. */
  readonly create: number
  readonly remove: ReadonlyArray<PodObject>
  /** Without `conditions`: those depend on whether creating worked. */
  readonly status: Omit<ReplicaSetStatus, "conditions">
  /** Look again after this many seconds: a ready pod that is not available yet. */
  readonly againInSeconds: number | undefined
}

const readySince = (pod: PodObject): number =>
  fromTimestamp(conditionOf(pod.status.conditions, "Ready")?.lastTransitionTime)

const secondsToAvailable = (pod: PodObject, minReadySeconds: number, nowMs: number): number =>
  minReadySeconds === 0 ? 0 : Math.max(0, minReadySeconds - (nowMs - readySince(pod)) / 1000)

const phaseRank = (pod: PodObject): number =>
  pod.status.phase === "Pending" ? 0 : pod.status.phase === "Unknown" ? 1 : 2

const costOf = (pod: PodObject): number => {
  const cost = Number.parseInt(pod.metadata.annotations[deletionCost] ?? "0", 10)
  return Number.isNaN(cost) ? 0 : cost
}

const restartsOf = (pod: PodObject): number =>
  pod.status.containerStatuses.reduce((most, status) => Math.max(most, status.restartCount), 0)

/** Which pod to give up first: the one that serves least and has cost least. */
const byWorth = (left: PodObject, right: PodObject): number =>
  Number(left.spec.nodeName !== "") - Number(right.spec.nodeName !== "") ||
  phaseRank(left) - phaseRank(right) ||
  Number(isReady(left)) - Number(isReady(right)) ||
  costOf(left) - costOf(right) ||
  (isReady(left) && isReady(right) ? readySince(right) - readySince(left) : 0) ||
  restartsOf(right) - restartsOf(left) ||
  right.metadata.creationTimestamp.localeCompare(left.metadata.creationTimestamp) ||
  left.metadata.name.localeCompare(right.metadata.name)

/** `pods` are those whose controller is this ReplicaSet. */
export const planReplicaSet = (
  set: ReplicaSetObject,
  pods: ReadonlyArray<PodObject>,
  nowMs: number
): ReplicaSetPlan => {
  const terminating = pods.filter((pod) => isTerminating(pod) && !isFinished(pod))
  const active = pods.filter((pod) => !isTerminating(pod) && !isFinished(pod))
  const surplus = active.length - set.spec.replicas
  const ready = active.filter(isReady)
  const waits = ready.map((pod) => secondsToAvailable(pod, set.spec.minReadySeconds, nowMs))
  const pending = waits.filter((seconds) => seconds > 0)
  const templateLabels = Object.entries(set.spec.selector.matchLabels)
  const deleted = set.metadata.deletionTimestamp !== undefined
  return {
    create: deleted ? 0 : Math.max(0, -surplus),
    remove: deleted || surplus <= 0 ? [] : [...active].sort(byWorth).slice(0, surplus),
    status: {
      observedGeneration: set.metadata.generation,
      replicas: active.length,
      fullyLabeledReplicas: active.filter((pod) =>
        templateLabels.every(([key, value]) => pod.metadata.labels[key] === value)
      ).length,
      readyReplicas: ready.length,
      availableReplicas: waits.length - pending.length,
      terminatingReplicas: terminating.length
    },
    againInSeconds: pending.length === 0 ? undefined : Math.min(...pending)
  }
}

/** The pod that a ReplicaSet creates from its template. */
export const podOf = (set: ReplicaSetObject): Readonly<Record<string, unknown>> => {
  const { metadata, spec } = set.spec.template
  const fields: object = typeof metadata === "object" && metadata !== null ? metadata : {}
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...("labels" in fields ? { labels: fields.labels } : {}),
      ...("annotations" in fields ? { annotations: fields.annotations } : {}),
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace,
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "ReplicaSet",
          name: set.metadata.name,
          uid: set.metadata.uid,
          controller: true,
          blockOwnerDeletion: true
        }
      ]
    },
    spec
  }
}
