/** Wiring of `AutoscalerPlan`: looks at every autoscaler now and then, writes the target's scale and the status. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ClusterObjects } from "../kubernetes/ClusterObjects.ts"
import { PodMetrics } from "../kubernetes/PodMetrics.ts"
import type { AutoscalerMemory } from "./AutoscalerPace.ts"
import { planAutoscaler } from "./AutoscalerPlan.ts"
import * as Controller from "./Controller.ts"
import { ControllersConfig } from "./ControllersConfig.ts"
import { EventRecorder } from "./EventRecorder.ts"
import { converged, type Outcome } from "./KeyedLoop.ts"
import { AutoscalerObject, ScaleTarget } from "./objects/AutoscalerObject.ts"
import { sameJson } from "./objects/CanonicalJson.ts"
import { matches } from "./objects/LabelSelector.ts"
import { objectKey } from "./objects/NamespacedKey.ts"
import { withField } from "./objects/ObjectFields.ts"
import { PodObject } from "./objects/PodObject.ts"

const autoscalers = "autoscaling/horizontalpodautoscalers"

const scalable: Readonly<Record<string, string>> = {
  Deployment: "apps/deployments",
  ReplicaSet: "apps/replicasets"
}

const nothing: AutoscalerMemory = { recommended: [], scaled: [] }

/** Runs the controller until the scope closes. */
export const start = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  const recorder = yield* EventRecorder
  const config = yield* ControllersConfig
  const metrics = yield* PodMetrics
  const periodMs = Duration.toMillis(config.autoscalerPeriod)
  const memories = new Map<string, AutoscalerMemory>()
  /** When each was looked at last: an autoscaler's own status is no reason to look again. */
  const looked = new Map<string, { readonly atMs: number; readonly spec: unknown }>()

  const look = Effect.fnUntraced(function* (key: string, autoscaler: AutoscalerObject) {
    const { metadata, spec } = autoscaler
    const { name, namespace, uid } = metadata
    const resource = scalable[spec.scaleTargetRef.kind]
    const targetKey = { resource: resource ?? "", namespace, name: spec.scaleTargetRef.name }
    const target =
      resource === undefined ? Option.none<ScaleTarget>() : yield* Controller.read(ScaleTarget, targetKey)
    const all = yield* Controller.readAll(PodObject, "pods", { namespace })
    const nowMs = yield* Controller.nowMs
    const plan = planAutoscaler({
      autoscaler,
      target: Option.getOrUndefined(target),
      pods: all.filter(
        (pod) => Option.isSome(target) && matches(target.value.spec.selector, pod.metadata.labels)
      ),
      uses: yield* metrics.all,
      memory: memories.get(key) ?? nothing,
      nowMs,
      settings: config
    })
    memories.set(key, plan.memory)
    const told = (type: "Normal" | "Warning", reason: string, message: string) =>
      recorder.record({
        about: { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", namespace, name, uid },
        type,
        reason,
        message,
        component: "horizontal-pod-autoscaler"
      })
    const { scaleTo, status, warning } = plan
    if (warning !== undefined) yield* told("Warning", warning.reason, warning.message)
    if (scaleTo !== undefined) {
      yield* objects.modify(targetKey, (object) => withField(object, ["spec", "replicas"], scaleTo), {
        subresource: "scale"
      })
      yield* told("Normal", "SuccessfulRescale", `New size: ${scaleTo}; reason: ${plan.reason}`)
    }
    yield* objects.modify(
      objectKey(autoscalers, key),
      (object) =>
        object.metadata.uid !== uid || sameJson(object["status"], status)
          ? undefined
          : withField(object, ["status"], status),
      { subresource: "status" }
    )
  })

  const reconcile = Effect.fn("AutoscalerController.reconcile")(function* (key: string) {
    const found = yield* Controller.read(AutoscalerObject, objectKey(autoscalers, key))
    if (Option.isNone(found)) {
      looked.delete(key)
      memories.delete(key)
      return converged
    }
    const { metadata, spec } = found.value
    const nowMs = yield* Controller.nowMs
    const last = looked.get(key)
    const isDue = last === undefined || nowMs - last.atMs >= periodMs || !sameJson(last.spec, spec)
    if (isDue && metadata.deletionTimestamp === undefined) {
      looked.set(key, { atMs: nowMs, spec })
      yield* look(key, found.value)
    }
    const waitMs = periodMs - (nowMs - (looked.get(key)?.atMs ?? nowMs))
    const again: Outcome = { _tag: "RequeueAfter", delay: Duration.millis(Math.max(1, waitMs)) }
    return again
  })

  yield* Controller.run({ name: "autoscaler", resource: autoscalers, triggers: [], reconcile })
})
