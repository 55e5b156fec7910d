/** Wiring of `AutoscalerPlan`: looks at every autoscaler now and then, writes the target's scale and the status. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { ClusterObjects } from "../kubernetes/ClusterObjects.ts"
import { selectorText } from "../kubernetes/kinds/TableColumn.ts"
import { PodMetrics } from "../kubernetes/PodMetrics.ts"
import { type AutoscalerMemory, withScale } from "./AutoscalerPace.ts"
import { type AutoscalerFacts, planAutoscaler, refused } from "./AutoscalerPlan.ts"
import { statusOf } from "./AutoscalerStatus.ts"
import * as Controller from "./Controller.ts"
import { ControllersConfig } from "./ControllersConfig.ts"
import { EventRecorder } from "./EventRecorder.ts"
import { converged, type Outcome } from "./KeyedLoop.ts"
import { AutoscalerObject, missingTarget, ScaleTarget, targetKey } from "./objects/AutoscalerObject.ts"
import { sameJson } from "./objects/CanonicalJson.ts"
import { matches } from "./objects/LabelSelector.ts"
import { objectKey } from "./objects/NamespacedKey.ts"
import { withField } from "./objects/ObjectFields.ts"
import { PodObject } from "./objects/PodObject.ts"

const autoscalers = "autoscaling/horizontalpodautoscalers"

const nothing: AutoscalerMemory = { recommended: [], scaled: [] }

const selects = ({ spec }: ScaleTarget, { metadata }: PodObject): boolean =>
  matches(spec.selector, metadata.labels)

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

  const targetOf = (autoscaler: AutoscalerObject) => {
    const key = targetKey(autoscaler)
    return key === undefined ? Effect.succeed(Option.none<ScaleTarget>()) : Controller.read(ScaleTarget, key)
  }

  /** Autoscalers of the namespace whose workloads have some of the pods. */
  const claimantsOf = Effect.fnUntraced(function* (namespace: string, pods: ReadonlyArray<PodObject>) {
    const all = yield* Controller.readAll(AutoscalerObject, autoscalers, { namespace })
    const claimants = yield* Effect.filter(all, (one) =>
      Effect.map(targetOf(one), (target) =>
        pods.some((pod) => Option.isSome(target) && selects(target.value, pod))
      )
    )
    return claimants.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).sort()
  })

  const factsOf = Effect.fnUntraced(function* (key: string, autoscaler: AutoscalerObject) {
    const { namespace } = autoscaler.metadata
    const target = Option.getOrUndefined(yield* targetOf(autoscaler))
    const labelSelector = selectorText(target?.spec.selector)
    const pods =
      target === undefined ? [] : yield* Controller.readAll(PodObject, "pods", { namespace, labelSelector })
    const facts: AutoscalerFacts = {
      autoscaler,
      target,
      pods,
      selector: labelSelector,
      claimants: yield* claimantsOf(namespace, pods),
      uses: yield* metrics.all,
      memory: memories.get(key) ?? nothing,
      nowMs: yield* Controller.nowMs,
      settings: config
    }
    return facts
  })

  /** Answers why the number could not be written; `undefined` when it was. */
  const scale = Effect.fnUntraced(function* ({ autoscaler }: AutoscalerFacts, replicas: number) {
    const key = targetKey(autoscaler)
    const written =
      key === undefined
        ? Result.succeed(Option.none())
        : yield* Effect.result(
            objects.modify(key, (object) => withField(object, ["spec", "replicas"], replicas), {
              subresource: "scale"
            })
          )
    if (Result.isFailure(written)) return written.failure.message
    return Option.isNone(written.success) ? missingTarget(autoscaler) : undefined
  })

  const carryOut = Effect.fnUntraced(function* (facts: AutoscalerFacts) {
    const plan = planAutoscaler(facts)
    const why = plan.isScaled ? yield* scale(facts, plan.desired) : undefined
    if (why !== undefined) return refused(facts, plan, why)
    const change = plan.desired - (facts.target?.spec.replicas ?? 0)
    return plan.isScaled ? { ...plan, memory: withScale(plan.memory, facts.nowMs, change) } : plan
  })

  const look = Effect.fnUntraced(function* (key: string, autoscaler: AutoscalerObject) {
    const { name, namespace, uid } = autoscaler.metadata
    const facts = yield* factsOf(key, autoscaler)
    const plan = yield* carryOut(facts)
    memories.set(key, plan.memory)
    const told = (type: "Normal" | "Warning", reason: string, message: string) =>
      recorder.record({
        about: { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", namespace, name, uid },
        type,
        reason,
        message,
        component: "horizontal-pod-autoscaler"
      })
    for (const { reason, message } of plan.warnings) yield* told("Warning", reason, message)
    if (plan.isScaled) {
      yield* told("Normal", "SuccessfulRescale", `New size: ${plan.desired}; reason: ${plan.reason}`)
    }
    const status = statusOf(facts, plan)
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
