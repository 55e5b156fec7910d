/** Wiring of `DisruptionBudgetPlan`: writes how many pods may be taken away. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ClusterObjects, type KubernetesObject } from "../kubernetes/ClusterObjects.ts"
import * as Controller from "./Controller.ts"
import { budgetStatus } from "./DisruptionBudgetPlan.ts"
import { converged } from "./KeyedLoop.ts"
import { sameJson } from "./objects/CanonicalJson.ts"
import { DeploymentObject } from "./objects/DeploymentObject.ts"
import { DisruptionBudgetObject } from "./objects/DisruptionBudgetObject.ts"
import { matches } from "./objects/LabelSelector.ts"
import { keyOf, objectKey } from "./objects/NamespacedKey.ts"
import { withField } from "./objects/ObjectFields.ts"
import { controllerOf } from "./objects/ObjectMetadata.ts"
import { PodObject } from "./objects/PodObject.ts"
import { ReplicaSetObject } from "./objects/ReplicaSetObject.ts"

const budgets = "policy/poddisruptionbudgets"

/** Runs the controller until the scope closes. */
export const start = Effect.gen(function* () {
  const objects = yield* ClusterObjects

  /** Pods that a Deployment, or a ReplicaSet of its own, wants; each counts once. */
  const wantedPods = Effect.fnUntraced(function* (namespace: string, pods: ReadonlyArray<PodObject>) {
    const sets = yield* Controller.readAll(ReplicaSetObject, "apps/replicasets", { namespace })
    const deployments = yield* Controller.readAll(DeploymentObject, "apps/deployments", { namespace })
    const wanted = new Map<string, number>()
    for (const pod of pods) {
      const set = sets.find((one) => one.metadata.uid === controllerOf(pod.metadata)?.uid)
      if (set === undefined) return undefined
      const owner = controllerOf(set.metadata)?.uid
      const maker = deployments.find((one) => one.metadata.uid === owner) ?? set
      wanted.set(maker.metadata.uid, maker.spec.replicas)
    }
    return [...wanted.values()].reduce((sum, replicas) => sum + replicas, 0)
  })

  const reconcile = Effect.fn("DisruptionBudgetController.reconcile")(function* (key: string) {
    const found = yield* Controller.read(DisruptionBudgetObject, objectKey(budgets, key))
    if (Option.isNone(found)) {
      return converged
    }
    const budget = found.value
    const { namespace, uid } = budget.metadata
    const { selector } = budget.spec
    const all = yield* Controller.readAll(PodObject, "pods", { namespace })
    const pods = all.filter((pod) => selector !== undefined && matches(selector, pod.metadata.labels))
    const status = budgetStatus({
      budget,
      pods,
      wantedPods: yield* wantedPods(namespace, pods),
      nowMs: yield* Controller.nowMs
    })
    yield* objects.modify(
      objectKey(budgets, key),
      (object) =>
        object.metadata.uid !== uid || sameJson(object["status"], status)
          ? undefined
          : withField(object, ["status"], status),
      { subresource: "status" }
    )
    return converged
  })

  const budgetsBeside = (object: KubernetesObject) =>
    Effect.map(objects.list(budgets, { namespace: object.metadata.namespace ?? "" }), (all) => all.map(keyOf))

  yield* Controller.run({
    name: "disruption",
    resource: budgets,
    triggers: ["pods", "apps/deployments", "apps/replicasets"].map((resource) => ({
      resource,
      keys: budgetsBeside
    })),
    reconcile
  })
})
