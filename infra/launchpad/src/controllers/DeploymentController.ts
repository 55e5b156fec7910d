/** Wiring of `DeploymentPlan`: reads a Deployment and its ReplicaSets, writes the plan's steps, then its status. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ApiStatus } from "../kubernetes/ApiStatus.ts"
import { ClusterObjects } from "../kubernetes/ClusterObjects.ts"
import * as Controller from "./Controller.ts"
import { ControllersConfig } from "./ControllersConfig.ts"
import { planDeployment, replicaSetOf, revisionAnnotation, type DeploymentStep } from "./DeploymentPlan.ts"
import { EventRecorder } from "./EventRecorder.ts"
import { againAfter, converged } from "./KeyedLoop.ts"
import { sameJson } from "./objects/CanonicalJson.ts"
import { DeploymentObject, type DeploymentStatus } from "./objects/DeploymentObject.ts"
import { objectKey, ownerKey } from "./objects/NamespacedKey.ts"
import { withField } from "./objects/ObjectFields.ts"
import { controllerOf } from "./objects/ObjectMetadata.ts"
import { isFinished, PodObject } from "./objects/PodObject.ts"
import { ReplicaSetObject } from "./objects/ReplicaSetObject.ts"

const deployments = "apps/deployments"
const replicaSets = "apps/replicasets"

/** Numbers that are zero are left out, as Kubernetes does; `terminatingReplicas` is always there. */
const statusJson = (status: DeploymentStatus): Readonly<Record<string, unknown>> => ({
  ...Object.fromEntries(
    Object.entries(status).filter(([, value]) => value !== 0 && (!Array.isArray(value) || value.length > 0))
  ),
  terminatingReplicas: status.terminatingReplicas
})

/** Runs the controller until the scope closes. */
export const start = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  const recorder = yield* EventRecorder
  const config = yield* ControllersConfig

  const told = (deployment: DeploymentObject, reason: string, message: string) =>
    recorder.record({
      about: {
        apiVersion: "apps/v1",
        kind: "Deployment",
        namespace: deployment.metadata.namespace,
        name: deployment.metadata.name,
        uid: deployment.metadata.uid
      },
      type: "Normal",
      reason,
      message,
      component: "deployment-controller"
    })

  const scaled = (deployment: DeploymentObject, name: string, from: number, to: number) =>
    from === to
      ? Effect.void
      : told(
          deployment,
          "ScalingReplicaSet",
          `Scaled ${to > from ? "up" : "down"} replica set ${name} from ${from} to ${to}`
        )

  const collided = (deployment: DeploymentObject, key: string) =>
    objects.modify(
      objectKey(deployments, key),
      (object) =>
        withField(object, ["status", "collisionCount"], (deployment.status.collisionCount ?? 0) + 1),
      { subresource: "status" }
    )

  const perform = Effect.fnUntraced(function* (
    deployment: DeploymentObject,
    key: string,
    step: DeploymentStep
  ) {
    const setKey = (name: string) => ({
      resource: replicaSets,
      namespace: deployment.metadata.namespace,
      name
    })
    switch (step._tag) {
      case "CreateReplicaSet": {
        yield* objects.create(replicaSets, replicaSetOf(deployment, step))
        return yield* scaled(deployment, step.name, 0, step.replicas)
      }
      case "ScaleReplicaSet": {
        yield* objects.modify(setKey(step.name), (object) =>
          withField(
            withField(object, ["metadata", "annotations"], {
              ...object.metadata.annotations,
              ...step.annotations
            }),
            ["spec", "replicas"],
            step.to
          )
        )
        return yield* scaled(deployment, step.name, step.from, step.to)
      }
      case "SyncReplicaSet":
        return yield* Effect.asVoid(
          objects.modify(setKey(step.name), (object) =>
            withField(
              withField(object, ["metadata", "annotations"], {
                ...object.metadata.annotations,
                ...step.annotations
              }),
              ["spec", "minReadySeconds"],
              deployment.spec.minReadySeconds === 0 ? undefined : deployment.spec.minReadySeconds
            )
          )
        )
      case "DeleteReplicaSet":
        return yield* objects.remove(setKey(step.name), { uid: step.uid })
      case "AnnotateDeployment":
        return yield* Effect.asVoid(
          objects.modify(objectKey(deployments, key), (object) =>
            withField(object, ["metadata", "annotations", revisionAnnotation], step.revision)
          )
        )
    }
  })

  const oldPodsRunning = Effect.fnUntraced(function* (
    deployment: DeploymentObject,
    owned: ReadonlyArray<ReplicaSetObject>
  ) {
    if (deployment.spec.strategy.type !== "Recreate") {
      return false
    }
    const stopped = new Set(owned.filter((set) => set.spec.replicas === 0).map((set) => set.metadata.uid))
    const pods = yield* Controller.readAll(PodObject, "pods", { namespace: deployment.metadata.namespace })
    return pods.some((pod) => !isFinished(pod) && stopped.has(controllerOf(pod.metadata)?.uid ?? ""))
  })

  const reconcile = Effect.fn("DeploymentController.reconcile")(function* (key: string) {
    const found = yield* Controller.read(DeploymentObject, objectKey(deployments, key))
    if (Option.isNone(found)) {
      return converged
    }
    const deployment = found.value
    const sets = yield* Controller.readAll(ReplicaSetObject, replicaSets, {
      namespace: deployment.metadata.namespace
    })
    const owned = sets.filter((set) => controllerOf(set.metadata)?.uid === deployment.metadata.uid)
    const plan = planDeployment({
      deployment,
      replicaSets: owned,
      oldPodsRunning: yield* oldPodsRunning(deployment, owned),
      nowMs: yield* Controller.nowMs
    })
    const perform_ = (step: DeploymentStep): Effect.Effect<void, ApiStatus> => perform(deployment, key, step)
    yield* Effect.forEach(plan.steps, perform_, { discard: true }).pipe(
      Effect.catchIf(
        (status) => status.reason === "AlreadyExists",
        () => collided(deployment, key)
      )
    )
    if (!sameJson(deployment.status, plan.status)) {
      yield* objects.modify(
        objectKey(deployments, key),
        (object) =>
          object.metadata.uid === deployment.metadata.uid
            ? withField(object, ["status"], {
                ...statusJson(plan.status),
                ...collisionOf(object["status"])
              })
            : undefined,
        { subresource: "status" }
      )
    }
    return againAfter(plan.againInSeconds, config.requeueMin)
  })

  yield* Controller.run({
    name: "deployment",
    resource: deployments,
    triggers: [
      { resource: replicaSets, keys: (object) => Effect.succeed(ownerKey(object, "Deployment")) },
      {
        resource: "pods",
        keys: Effect.fnUntraced(function* (pod) {
          const [set] = ownerKey(pod, "ReplicaSet")
          const owner = set === undefined ? Option.none() : yield* objects.get(objectKey(replicaSets, set))
          return Option.isNone(owner) ? [] : ownerKey(owner.value, "Deployment")
        })
      }
    ],
    reconcile
  })
})

/** A collision counted in this very reconcile must survive the status that was planned before it. */
const collisionOf = (status: unknown): Readonly<Record<string, unknown>> =>
  typeof status === "object" && status !== null && "collisionCount" in status
    ? { collisionCount: status.collisionCount }
    : {}
