/** Wiring of `JobPlan`: creates, deletes and lets go of pods, writes the Job's status, removes the Job when its time is over. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ClusterObjects } from "../kubernetes/ClusterObjects.ts"
import * as Controller from "./Controller.ts"
import { ControllersConfig } from "./ControllersConfig.ts"
import { EventRecorder } from "./EventRecorder.ts"
import { trackingFinalizer } from "./JobPods.ts"
import { planJob } from "./JobPlan.ts"
import { againAfter, converged } from "./KeyedLoop.ts"
import { JobObject } from "./objects/BatchObjects.ts"
import { sameJson } from "./objects/CanonicalJson.ts"
import { objectKey, ownerKey } from "./objects/NamespacedKey.ts"
import { withField } from "./objects/ObjectFields.ts"
import { controllerOf } from "./objects/ObjectMetadata.ts"
import { PodObject } from "./objects/PodObject.ts"

const jobs = "batch/jobs"

/** The pod that a job creates from its template. */
const podOf = ({ metadata, spec }: JobObject) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    ...spec.template.metadata,
    generateName: `${metadata.name}-`,
    namespace: metadata.namespace,
    finalizers: [trackingFinalizer],
    ownerReferences: [
      {
        apiVersion: "batch/v1",
        kind: "Job",
        name: metadata.name,
        uid: metadata.uid,
        controller: true,
        blockOwnerDeletion: true
      }
    ]
  },
  spec: spec.template.spec
})

const eventWords: Readonly<Record<string, readonly ["Normal" | "Warning", string]>> = {
  Complete: ["Normal", "Completed"],
  Failed: ["Warning", ""],
  Suspended: ["Normal", ""]
}

/** Runs the controller until the scope closes. */
export const start = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  const recorder = yield* EventRecorder
  const config = yield* ControllersConfig
  const backOff = {
    firstMs: Duration.toMillis(config.jobBackOffFirst),
    maxMs: Duration.toMillis(config.jobBackOffMax)
  }

  const podKey = ({ metadata }: PodObject) => ({
    resource: "pods",
    namespace: metadata.namespace,
    name: metadata.name
  })

  const release = (pod: PodObject) =>
    objects.modify(podKey(pod), (object) =>
      object.metadata.uid === pod.metadata.uid
        ? withField(
            object,
            ["metadata", "finalizers"],
            (object.metadata.finalizers ?? []).filter((name) => name !== trackingFinalizer)
          )
        : undefined
    )

  const told = (job: JobObject, type: "Normal" | "Warning", reason: string, message: string) => {
    const { name, namespace, uid } = job.metadata
    const about = { apiVersion: "batch/v1", kind: "Job", namespace, name, uid }
    return recorder.record({ about, type, reason, message, component: "job-controller" })
  }

  const createPods = Effect.fnUntraced(function* (job: JobObject, count: number) {
    for (let index = 0; index < count; index += 1) {
      const pod = yield* objects
        .create("pods", podOf(job))
        .pipe(
          Effect.tapError((status) =>
            told(job, "Warning", "FailedCreate", `Error creating: ${status.message}`)
          )
        )
      yield* told(job, "Normal", "SuccessfulCreate", `Created pod: ${pod.metadata.name}`)
    }
  })

  const removePods = Effect.fnUntraced(function* (job: JobObject, pods: ReadonlyArray<PodObject>) {
    for (const pod of pods) {
      yield* objects.remove(podKey(pod), { uid: pod.metadata.uid })
      yield* told(job, "Normal", "SuccessfulDelete", `Deleted pod: ${pod.metadata.name}`)
    }
  })

  const reconcile = Effect.fn("JobController.reconcile")(function* (key: string) {
    const found = yield* Controller.read(JobObject, objectKey(jobs, key))
    const [namespace = ""] = key.split("/")
    const all = yield* Controller.readAll(PodObject, "pods", { namespace })
    const held = all.filter((pod) => pod.metadata.finalizers.includes(trackingFinalizer))
    const uid = Option.isSome(found) ? found.value.metadata.uid : undefined
    const ofKey = (pod: PodObject) => ownerKey(pod, "Job").includes(key)
    // Nobody counts the pods of a job that is gone.
    yield* Effect.forEach(
      held.filter((pod) => ofKey(pod) && controllerOf(pod.metadata)?.uid !== uid),
      release
    )
    if (Option.isNone(found)) {
      return converged
    }
    const job = found.value
    const now = yield* Controller.nowMs
    const owned = all.filter((pod) => controllerOf(pod.metadata)?.uid === uid)
    const plan = planJob(job, owned, now, backOff)
    yield* objects.modify(
      objectKey(jobs, key),
      (object) =>
        object.metadata.uid !== uid || sameJson(object["status"], plan.status)
          ? undefined
          : withField(object, ["status"], plan.status),
      { subresource: "status" }
    )
    yield* Effect.forEach(plan.release, release)
    for (const { type, reason, message } of plan.turned) {
      const words = eventWords[type]
      if (words !== undefined) {
        const isDone = type === "Complete"
        yield* told(job, words[0], words[1] === "" ? reason : words[1], isDone ? "Job completed" : message)
      }
    }
    yield* removePods(job, plan.remove)
    if (plan.expired) {
      yield* objects.remove(objectKey(jobs, key), { uid: job.metadata.uid })
      return converged
    }
    yield* createPods(job, plan.create)
    return againAfter(plan.againInSeconds, config.requeueMin)
  })

  yield* Controller.run({
    name: "job",
    resource: jobs,
    triggers: [{ resource: "pods", keys: (pod) => Effect.succeed(ownerKey(pod, "Job")) }],
    reconcile
  })
})
