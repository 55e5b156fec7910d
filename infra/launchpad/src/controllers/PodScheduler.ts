/** Assigns pods to the one node of the local cluster. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ClusterObjects } from "../kubernetes/ClusterObjects.ts"
import * as Controller from "./Controller.ts"
import { ControllersConfig } from "./ControllersConfig.ts"
import { EventRecorder } from "./EventRecorder.ts"
import { converged } from "./KeyedLoop.ts"
import { objectKey } from "./objects/NamespacedKey.ts"
import { withField } from "./objects/ObjectFields.ts"
import { isTerminating, PodObject } from "./objects/PodObject.ts"

/** Pods that name another scheduler are that one's business. */
const schedulerName = "default-scheduler"

/** Runs the controller until the scope closes. */
export const start = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  const recorder = yield* EventRecorder
  const { nodeName } = yield* ControllersConfig

  const reconcile = Effect.fn("PodScheduler.reconcile")(function* (key: string) {
    const found = yield* Controller.read(PodObject, objectKey("pods", key))
    if (Option.isNone(found)) {
      return converged
    }
    const { metadata, spec } = found.value
    if (spec.nodeName !== "" || spec.schedulerName !== schedulerName || isTerminating(found.value)) {
      return converged
    }
    yield* objects.modify(objectKey("pods", key), (object) =>
      object.metadata.uid === metadata.uid ? withField(object, ["spec", "nodeName"], nodeName) : undefined
    )
    yield* recorder.record({
      about: {
        apiVersion: "v1",
        kind: "Pod",
        namespace: metadata.namespace,
        name: metadata.name,
        uid: metadata.uid
      },
      type: "Normal",
      reason: "Scheduled",
      message: `Successfully assigned ${metadata.namespace}/${metadata.name} to ${nodeName}`,
      component: schedulerName
    })
    return converged
  })

  yield* Controller.run({ name: "scheduler", resource: "pods", triggers: [], reconcile })
})
