/** Controllers over objects in memory, without a node: pods run when a test says so, and time passes when it says so. */
import * as Controllers from "@starform/launchpad/controllers/Controllers"
import * as ControllersConfig from "@starform/launchpad/controllers/ControllersConfig"
import * as EventRecorder from "@starform/launchpad/controllers/EventRecorder"
import { ClusterObjects, type KubernetesObject } from "@starform/launchpad/kubernetes/ClusterObjects"
import { isObject } from "@starform/launchpad/kubernetes/JsonValue"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import { PodMetrics, type PodUse } from "@starform/launchpad/kubernetes/PodMetrics"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import { Clock, Effect, Layer, Option } from "effect"
import { ensureNamespace, namespace } from "../runtime/LocalCluster.ts"

const controllers = Controllers.layerNoDeps.pipe(
  Layer.provideMerge(EventRecorder.layerNoDeps),
  Layer.provide(ControllersConfig.layer()),
  Layer.provideMerge(KubernetesServer.layerObjectsMemory)
)

/** In a namespace of its own; `all` is what its pods use. */
export const controlled = <A, E>(
  use: Effect.Effect<A, E, ClusterObjects>,
  all: Effect.Effect<ReadonlyArray<PodUse>> = Effect.succeed([])
) =>
  Effect.andThen(ensureNamespace, use).pipe(
    Effect.provide(controllers.pipe(Layer.provide(Layer.succeed(PodMetrics, { isServed: true, all }))))
  )

/** Turns of the event loop that anything here may take. */
const patience = 2000

/** Waits for others, not for time. */
export const until = <A, E, R>(what: string, look: Effect.Effect<A, E, R>, check: (value: A) => boolean) =>
  Effect.gen(function* () {
    let value = yield* look
    for (let turn = 0; turn < patience && !check(value); turn += 1) {
      yield* Effect.yieldNow
      value = yield* look
    }
    return check(value) ? value : yield* Effect.die(new Error(`${what}\n${JSON.stringify(value, null, 1)}`))
  })

/** Lets everybody come to rest, before time passes. */
export const rest = Effect.forEach(Array.from({ length: 300 }), () => Effect.yieldNow, { discard: true })

export const get = Effect.fnUntraced(function* (resource: string, name: string) {
  const objects = yield* ClusterObjects
  return Option.getOrUndefined(yield* objects.get({ resource, namespace, name }))
})

export const list = Effect.fnUntraced(function* (resource: string) {
  const objects = yield* ClusterObjects
  return yield* objects.list(resource, { namespace })
})

export const create = Effect.fnUntraced(function* (
  resource: string,
  apiVersion: string,
  kind: string,
  name: string,
  fields: Readonly<Record<string, unknown>>
) {
  const objects = yield* ClusterObjects
  return yield* objects.create(resource, { apiVersion, kind, metadata: { name, namespace }, ...fields })
})

export const setSpec = Effect.fnUntraced(function* (
  resource: string,
  name: string,
  fields: Readonly<Record<string, unknown>>
) {
  const objects = yield* ClusterObjects
  yield* objects.modify({ resource, namespace, name }, (object) => ({
    ...object,
    spec: { ...(isObject(object["spec"]) ? object["spec"] : {}), ...fields }
  }))
})

const timestamp = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`

/** What the node would write of a pod. */
export const play = Effect.fnUntraced(function* (
  pod: KubernetesObject,
  phase: "Running" | "Succeeded" | "Failed",
  restartCount = 0
) {
  const objects = yield* ClusterObjects
  const now = timestamp(yield* Clock.currentTimeMillis)
  const state =
    phase === "Running"
      ? { running: { startedAt: now } }
      : { terminated: { exitCode: phase === "Failed" ? 1 : 0, finishedAt: now } }
  const ready = phase === "Running" ? "True" : "False"
  const containerStatuses = [
    { name: "app", image: "x", imageID: "x", state, restartCount, ready: ready === "True" }
  ]
  const status = {
    phase,
    startTime: at(pod, "status", "startTime") ?? now,
    containerStatuses,
    conditions: [{ type: "Ready", status: ready, lastTransitionTime: now }]
  }
  yield* objects.modify(
    { resource: "pods", namespace, name: pod.metadata.name },
    (object) => ({ ...object, status }),
    { subresource: "status" }
  )
})

/** Of a kind with conditions: type and status, in order. */
export const conditions = (object: KubernetesObject | undefined): ReadonlyArray<string> => {
  const found = at(object, "status", "conditions")
  return (Array.isArray(found) ? found : []).map(
    (one) => `${String(at(one, "type"))}=${String(at(one, "status"))} ${String(at(one, "reason"))}`
  )
}
