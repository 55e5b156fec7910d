/** Wiring of `ReplicaSetPlan`: creates and deletes pods, writes the ReplicaSet's status. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ClusterObjects } from "../kubernetes/ClusterObjects.ts"
import * as Controller from "./Controller.ts"
import { ControllersConfig } from "./ControllersConfig.ts"
import { withCondition, withoutCondition } from "./DeploymentConditions.ts"
import { EventRecorder } from "./EventRecorder.ts"
import { againAfter, converged } from "./KeyedLoop.ts"
import { sameJson } from "./objects/CanonicalJson.ts"
import { objectKey, ownerKey } from "./objects/NamespacedKey.ts"
import { withField } from "./objects/ObjectFields.ts"
import type { ObjectCondition } from "./objects/ObjectCondition.ts"
import { controllerOf } from "./objects/ObjectMetadata.ts"
import { PodObject } from "./objects/PodObject.ts"
import { toTimestamp } from "./objects/Timestamp.ts"
import { ReplicaSetObject, type ReplicaSetStatus } from "./objects/ReplicaSetObject.ts"
import { planReplicaSet, podOf } from "./ReplicaSetPlan.ts"

const replicaSets = "apps/replicasets"

/** Conditions of a ReplicaSet tell only when they turned. */
const createFailed = (message: string, nowMs: number): ObjectCondition => ({
  type: "ReplicaFailure",
  status: "True",
  reason: "FailedCreate",
  message,
  lastTransitionTime: toTimestamp(nowMs)
})

/** `replicas` and `terminatingReplicas` are always there, other numbers only when they are not zero. */
const statusJson = (status: ReplicaSetStatus): Readonly<Record<string, unknown>> => ({
  ...Object.fromEntries(
    Object.entries(status).filter(([, value]) => value !== 0 && (!Array.isArray(value) || value.length > 0))
  ),
  replicas: status.replicas,
  terminatingReplicas: status.terminatingReplicas
})

/** Runs the controller until the scope closes. */
export const start = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  const recorder = yield* EventRecorder
  const config = yield* ControllersConfig

  const told = (set: ReplicaSetObject, type: "Normal" | "Warning", reason: string, message: string) =>
    recorder.record({
      about: {
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        namespace: set.metadata.namespace,
        name: set.metadata.name,
        uid: set.metadata.uid
      },
      type,
      reason,
      message,
      component: "replicaset-controller"
    })

  const createPods = Effect.fnUntraced(function* (set: ReplicaSetObject, count: number) {
    for (let index = 0; index < count; index += 1) {
      const pod = yield* objects.create("pods", podOf(set))
      yield* told(set, "Normal", "SuccessfulCreate", `Created pod: ${pod.metadata.name}`)
    }
  })

  const deletePods = Effect.fnUntraced(function* (set: ReplicaSetObject, pods: ReadonlyArray<PodObject>) {
    for (const { metadata } of pods) {
      const key = { resource: "pods", namespace: metadata.namespace, name: metadata.name }
      yield* objects.remove(key, { uid: metadata.uid })
      yield* told(set, "Normal", "SuccessfulDelete", `Deleted pod: ${metadata.name}`)
    }
  })

  const reconcile = Effect.fn("ReplicaSetController.reconcile")(function* (key: string) {
    const found = yield* Controller.read(ReplicaSetObject, objectKey(replicaSets, key))
    if (Option.isNone(found)) {
      return converged
    }
    const set = found.value
    const all = yield* Controller.readAll(PodObject, "pods", { namespace: set.metadata.namespace })
    const owned = all.filter((pod) => controllerOf(pod.metadata)?.uid === set.metadata.uid)
    const now = yield* Controller.nowMs
    const plan = planReplicaSet(set, owned, now)
    const created = yield* Effect.result(createPods(set, plan.create))
    yield* deletePods(set, plan.remove)
    const failure = created._tag === "Failure" ? created.failure : undefined
    if (failure !== undefined) {
      yield* told(set, "Warning", "FailedCreate", `Error creating: ${failure.message}`)
    }
    const status: ReplicaSetStatus = {
      ...plan.status,
      conditions:
        failure === undefined
          ? withoutCondition(set.status.conditions, "ReplicaFailure")
          : withCondition(set.status.conditions, createFailed(failure.message, now))
    }
    if (!sameJson(set.status, status)) {
      yield* objects.modify(
        objectKey(replicaSets, key),
        (object) =>
          object.metadata.uid === set.metadata.uid
            ? withField(object, ["status"], statusJson(status))
            : undefined,
        { subresource: "status" }
      )
    }
    return failure === undefined ? againAfter(plan.againInSeconds, config.requeueMin) : yield* failure
  })

  yield* Controller.run({
    name: "replicaset",
    resource: replicaSets,
    triggers: [{ resource: "pods", keys: (pod) => Effect.succeed(ownerKey(pod, "ReplicaSet")) }],
    reconcile
  })
})
