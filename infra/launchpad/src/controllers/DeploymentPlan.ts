/**
 * One look at a Deployment and its ReplicaSets → what to write now. Each plan is one safe step; writing it
 * changes the objects, which activates the next look. Follows Kubernetes' deployment controller.
 */
import {
  availableCondition,
  hasDeadline,
  isComplete,
  makeCondition,
  pausedConditions,
  progressConditions,
  secondsToDeadline,
  withCondition,
  withoutCondition
} from "./DeploymentConditions.ts"
import { sameJson } from "./objects/CanonicalJson.ts"
import { withField } from "./objects/ObjectFields.ts"
import type { DeploymentObject, DeploymentStatus } from "./objects/DeploymentObject.ts"
import { conditionOf } from "./objects/ObjectCondition.ts"
import type { ReplicaSetObject } from "./objects/ReplicaSetObject.ts"
import { podTemplateHash, templateHashLabel, withoutHash } from "./PodTemplateHash.ts"
import {
  newReplicas,
  oldReplicas,
  proportionalReplicas,
  surgeLimits,
  type ReplicaCount,
  type SurgeLimits
} from "./RolloutArithmetic.ts"

export const revisionAnnotation = "deployment.kubernetes.io/revision"
const desiredAnnotation = "deployment.kubernetes.io/desired-replicas"
const maxAnnotation = "deployment.kubernetes.io/max-replicas"
const historyAnnotation = "deployment.kubernetes.io/revision-history"

/** Annotations of a Deployment that are its own and are not copied to ReplicaSets. */
const ownAnnotations = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
  "deprecated.deployment.rollback.to"
])

type Annotations = Readonly<Record<string, string>>

export type DeploymentStep =
  | {
      readonly _tag: "CreateReplicaSet"
      readonly name: string
      readonly replicas: number
      readonly hash: string
      readonly annotations: Annotations
    }
  | {
      readonly _tag: "ScaleReplicaSet"
      readonly name: string
      readonly from: number
      readonly to: number
      readonly annotations: Annotations
    }
  /** Keeps annotations and `minReadySeconds` of the newest ReplicaSet as the Deployment says. */
  | { readonly _tag: "SyncReplicaSet"; readonly name: string; readonly annotations: Annotations }
  | { readonly _tag: "DeleteReplicaSet"; readonly name: string; readonly uid: string }
  | { readonly _tag: "AnnotateDeployment"; readonly revision: string }

export interface DeploymentPlan {
  readonly steps: ReadonlyArray<DeploymentStep>
  readonly status: DeploymentStatus
  /** Look again after this many seconds even if nothing changes: the progress deadline. */
  readonly againInSeconds: number | undefined
}

export interface DeploymentFacts {
  readonly deployment: DeploymentObject
  /** Those whose controller is this Deployment. */
  readonly replicaSets: ReadonlyArray<ReplicaSetObject>
  /** Pods of older templates that are not over yet; only `Recreate` asks. */
  readonly oldPodsRunning: boolean
  readonly nowMs: number
}

const revisionOf = (set: ReplicaSetObject): number =>
  Number.parseInt(set.metadata.annotations[revisionAnnotation] ?? "0", 10)

const byCreation = (left: ReplicaSetObject, right: ReplicaSetObject): number =>
  left.metadata.creationTimestamp.localeCompare(right.metadata.creationTimestamp) ||
  left.metadata.name.localeCompare(right.metadata.name)

const countOf = (set: ReplicaSetObject): ReplicaCount => ({
  name: set.metadata.name,
  replicas: set.spec.replicas,
  available: set.status.availableReplicas
})

const total = (sets: ReadonlyArray<ReplicaSetObject>, pick: (set: ReplicaSetObject) => number): number =>
  sets.reduce((sum, set) => sum + pick(set), 0)

const sizeAnnotations = (deployment: DeploymentObject, limits: SurgeLimits): Annotations => ({
  [desiredAnnotation]: String(deployment.spec.replicas),
  [maxAnnotation]: String(deployment.spec.replicas + limits.maxSurge)
})

const copiedAnnotations = (deployment: DeploymentObject): Annotations =>
  Object.fromEntries(
    Object.entries(deployment.metadata.annotations).filter(([key]) => !ownAnnotations.has(key))
  )

const observedStatus = (
  deployment: DeploymentObject,
  sets: ReadonlyArray<ReplicaSetObject>,
  newest: ReplicaSetObject | undefined,
  limits: SurgeLimits,
  nowMs: number
): DeploymentStatus => {
  const available = total(sets, (set) => set.status.availableReplicas)
  const wanted = total(sets, (set) => set.spec.replicas)
  const collisionCount = deployment.status.collisionCount
  return {
    observedGeneration: deployment.metadata.generation,
    replicas: total(sets, (set) => set.status.replicas),
    updatedReplicas: newest?.status.replicas ?? 0,
    readyReplicas: total(sets, (set) => set.status.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, wanted - available),
    terminatingReplicas: total(sets, (set) => set.status.terminatingReplicas),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: withCondition(
      pausedConditions(deployment, nowMs),
      availableCondition(available, deployment.spec.replicas - limits.maxUnavailable, nowMs)
    )
  }
}

const failureConditions = (
  status: DeploymentStatus,
  sets: ReadonlyArray<ReplicaSetObject>,
  newest: ReplicaSetObject | undefined,
  nowMs: number
): DeploymentStatus => {
  const failing = [...(newest === undefined ? [] : [newest]), ...sets]
    .map((set) => conditionOf(set.status.conditions, "ReplicaFailure"))
    .find((condition) => condition?.status === "True")
  return {
    ...status,
    conditions:
      failing === undefined
        ? withoutCondition(status.conditions, "ReplicaFailure")
        : withCondition(
            status.conditions,
            makeCondition("ReplicaFailure", "True", failing.reason, failing.message, nowMs)
          )
  }
}

const historySteps = (
  deployment: DeploymentObject,
  old: ReadonlyArray<ReplicaSetObject>
): ReadonlyArray<DeploymentStep> => {
  const kept = old.filter((set) => set.metadata.deletionTimestamp === undefined)
  return [...kept]
    .sort((left, right) => revisionOf(left) - revisionOf(right))
    .slice(0, Math.max(0, kept.length - deployment.spec.revisionHistoryLimit))
    .filter(
      (set) =>
        set.spec.replicas === 0 &&
        set.status.replicas === 0 &&
        set.metadata.generation <= set.status.observedGeneration
    )
    .map((set) => ({ _tag: "DeleteReplicaSet", name: set.metadata.name, uid: set.metadata.uid }))
}

/** See `DeploymentFacts`; the result is complete, the wiring decides nothing. */
export const planDeployment = (facts: DeploymentFacts): DeploymentPlan => {
  const { deployment, nowMs } = facts
  const sets = [...facts.replicaSets].sort(byCreation)
  const rolling = deployment.spec.strategy.type === "RollingUpdate"
  const { maxSurge, maxUnavailable } = deployment.spec.strategy.rollingUpdate
  const limits: SurgeLimits = rolling
    ? surgeLimits(maxSurge, maxUnavailable, deployment.spec.replicas)
    : { maxSurge: 0, maxUnavailable: 0 }
  const newest = sets.find((set) => sameJson(withoutHash(set.spec.template), deployment.spec.template))
  const old = sets.filter((set) => set !== newest)
  const sizes = sizeAnnotations(deployment, limits)
  const resize = (name: string, from: number, to: number): DeploymentStep => ({
    _tag: "ScaleReplicaSet",
    name,
    from,
    to,
    annotations: sizes
  })
  const observed = observedStatus(deployment, sets, newest, limits, nowMs)
  const settle = (steps: ReadonlyArray<DeploymentStep>, status: DeploymentStatus): DeploymentPlan => ({
    steps,
    status: failureConditions(status, sets, newest, nowMs),
    againInSeconds: secondsToDeadline(deployment, status.conditions, nowMs)
  })
  const rollout = (steps: ReadonlyArray<DeploymentStep>): DeploymentPlan => {
    const known = newest?.metadata.name
    const subject = known === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${known}"`
    return settle(steps, {
      ...observed,
      conditions: progressConditions(deployment, observed, subject, nowMs)
    })
  }

  if (deployment.metadata.deletionTimestamp !== undefined) {
    return settle([], observed)
  }

  const active = sets.filter((set) => set.spec.replicas > 0)
  const rescaled = active.some((set) => {
    const desired = set.metadata.annotations[desiredAnnotation]
    return desired !== undefined && desired !== sizes[desiredAnnotation]
  })
  if (deployment.spec.paused || rescaled) {
    return settle(
      scaleSteps(deployment, active, newest, old, limits, rolling).map((step) =>
        resize(step.name, step.from, step.to)
      ),
      observed
    )
  }

  const revision = Math.max(0, ...old.map(revisionOf)) + 1
  const stops = rolling ? [] : old.filter((set) => set.spec.replicas > 0)
  if (stops.length > 0) {
    return rollout(stops.map((set) => resize(set.metadata.name, set.spec.replicas, 0)))
  }
  if (!rolling && facts.oldPodsRunning) {
    return rollout([])
  }
  if (newest === undefined) {
    const hash = podTemplateHash(deployment.spec.template, deployment.status.collisionCount)
    const name = `${deployment.metadata.name}-${hash}`
    const replicas = newReplicas(
      deployment.spec.replicas,
      limits,
      { name, replicas: 0, available: 0 },
      old.map(countOf)
    )
    const annotations = { ...copiedAnnotations(deployment), ...sizes, [revisionAnnotation]: String(revision) }
    const created = makeCondition(
      "Progressing",
      "True",
      "NewReplicaSetCreated",
      `Created new replica set "${name}"`,
      nowMs
    )
    return settle(
      [
        { _tag: "CreateReplicaSet", name, replicas, hash, annotations },
        { _tag: "AnnotateDeployment", revision: String(revision) }
      ],
      {
        ...observed,
        conditions: hasDeadline(deployment)
          ? withCondition(observed.conditions, created)
          : observed.conditions
      }
    )
  }

  const upkeep = upkeepSteps(deployment, newest, Math.max(revision, revisionOf(newest)))
  const grown = newReplicas(deployment.spec.replicas, limits, countOf(newest), old.map(countOf))
  if (grown !== newest.spec.replicas) {
    return rollout([...upkeep, resize(newest.metadata.name, newest.spec.replicas, grown)])
  }
  const shrunk = oldReplicas(deployment.spec.replicas, limits, countOf(newest), old.map(countOf))
  if (shrunk.length > 0) {
    return rollout([...upkeep, ...shrunk.map((step) => resize(step.name, step.from, step.to))])
  }
  return rollout([...upkeep, ...(isComplete(deployment, observed) ? historySteps(deployment, old) : [])])
}

const upkeepSteps = (
  deployment: DeploymentObject,
  newest: ReplicaSetObject,
  revision: number
): ReadonlyArray<DeploymentStep> => {
  const annotations = { ...copiedAnnotations(deployment), [revisionAnnotation]: String(revision) }
  const stale =
    Object.entries(annotations).some(([key, value]) => newest.metadata.annotations[key] !== value) ||
    newest.spec.minReadySeconds !== deployment.spec.minReadySeconds
  return [
    ...(stale ? [{ _tag: "SyncReplicaSet" as const, name: newest.metadata.name, annotations }] : []),
    ...(deployment.metadata.annotations[revisionAnnotation] === String(revision)
      ? []
      : [{ _tag: "AnnotateDeployment" as const, revision: String(revision) }])
  ]
}

const scaleSteps = (
  deployment: DeploymentObject,
  active: ReadonlyArray<ReplicaSetObject>,
  newest: ReplicaSetObject | undefined,
  old: ReadonlyArray<ReplicaSetObject>,
  limits: SurgeLimits,
  rolling: boolean
): ReadonlyArray<{ readonly name: string; readonly from: number; readonly to: number }> => {
  const desired = deployment.spec.replicas
  const only = active.length === 0 ? newest : active.length === 1 ? active[0] : undefined
  if (only !== undefined) {
    return only.spec.replicas === desired && only.metadata.annotations[desiredAnnotation] === String(desired)
      ? []
      : [{ name: only.metadata.name, from: only.spec.replicas, to: desired }]
  }
  const saturated =
    newest !== undefined && newest.spec.replicas === desired && newest.status.availableReplicas === desired
  if (saturated) {
    return old
      .filter((set) => set.spec.replicas > 0)
      .map((set) => ({ name: set.metadata.name, from: set.spec.replicas, to: 0 }))
  }
  if (!rolling) {
    return []
  }
  const resized = proportionalReplicas(
    desired,
    limits,
    active.map((set) => ({
      ...countOf(set),
      maxReplicas: Number.parseInt(
        set.metadata.annotations[maxAnnotation] ?? String(desired + limits.maxSurge),
        10
      )
    }))
  )
  return active.map((set) => ({
    name: set.metadata.name,
    from: set.spec.replicas,
    to: resized.find((step) => step.name === set.metadata.name)?.to ?? set.spec.replicas
  }))
}

/** The ReplicaSet object that a `CreateReplicaSet` step writes. */
export const replicaSetOf = (
  deployment: DeploymentObject,
  step: Extract<DeploymentStep, { readonly _tag: "CreateReplicaSet" }>
): Readonly<Record<string, unknown>> => {
  const template = withField(deployment.spec.template, ["metadata", "labels", templateHashLabel], step.hash)
  const metadata: unknown = template["metadata"]
  const selector = {
    ...(deployment.spec.selector.matchExpressions.length === 0
      ? {}
      : { matchExpressions: deployment.spec.selector.matchExpressions }),
    matchLabels: { ...deployment.spec.selector.matchLabels, [templateHashLabel]: step.hash }
  }
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: step.name,
      namespace: deployment.metadata.namespace,
      labels: labelsOf(metadata),
      annotations: step.annotations,
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "Deployment",
          name: deployment.metadata.name,
          uid: deployment.metadata.uid,
          controller: true,
          blockOwnerDeletion: true
        }
      ]
    },
    spec: {
      replicas: step.replicas,
      ...(deployment.spec.minReadySeconds === 0 ? {} : { minReadySeconds: deployment.spec.minReadySeconds }),
      selector,
      template
    }
  }
}

const labelsOf = (metadata: unknown): unknown =>
  typeof metadata === "object" && metadata !== null && "labels" in metadata ? metadata.labels : undefined
