/** Wiring of `CronJobPlan`: creates and deletes jobs, writes the CronJob's status. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ClusterObjects } from "../kubernetes/ClusterObjects.ts"
import * as Controller from "./Controller.ts"
import { ControllersConfig } from "./ControllersConfig.ts"
import { jobNameOf, planCronJob, referenceOf } from "./CronJobPlan.ts"
import { EventRecorder } from "./EventRecorder.ts"
import { againAfter, converged } from "./KeyedLoop.ts"
import { CronJobObject, type CronJobStatus, JobObject } from "./objects/BatchObjects.ts"
import { sameJson } from "./objects/CanonicalJson.ts"
import { objectKey, ownerKey } from "./objects/NamespacedKey.ts"
import { withField } from "./objects/ObjectFields.ts"
import { controllerOf } from "./objects/ObjectMetadata.ts"
import { toTimestamp } from "./objects/Timestamp.ts"

const cronJobs = "batch/cronjobs"
const jobs = "batch/jobs"

/** Annotation of a job: the time for which it was made. */
const scheduledAnnotation = "batch.kubernetes.io/cronjob-scheduled-timestamp"

const jobOf = (cronJob: CronJobObject, atMs: number) => {
  const { metadata, spec } = cronJob
  const template = spec.jobTemplate
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: jobNameOf(cronJob, atMs),
      namespace: metadata.namespace,
      labels: template.metadata.labels,
      annotations: { ...template.metadata.annotations, [scheduledAnnotation]: toTimestamp(atMs) },
      ownerReferences: [
        {
          apiVersion: "batch/v1",
          kind: "CronJob",
          name: metadata.name,
          uid: metadata.uid,
          controller: true,
          blockOwnerDeletion: true
        }
      ]
    },
    spec: template.spec
  }
}

const statusJson = ({ active, ...times }: CronJobStatus) => ({
  ...(active.length === 0 ? {} : { active }),
  ...times
})

/** Runs the controller until the scope closes. */
export const start = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  const recorder = yield* EventRecorder
  const config = yield* ControllersConfig

  const told = (cronJob: CronJobObject, type: "Normal" | "Warning", reason: string, message: string) => {
    const { name, namespace, uid } = cronJob.metadata
    const about = { apiVersion: "batch/v1", kind: "CronJob", namespace, name, uid }
    return recorder.record({ about, type, reason, message, component: "cronjob-controller" })
  }

  const remove = Effect.fnUntraced(function* (cronJob: CronJobObject, gone: ReadonlyArray<JobObject>) {
    for (const { metadata } of gone) {
      const key = { resource: jobs, namespace: metadata.namespace, name: metadata.name }
      yield* objects.remove(key, { uid: metadata.uid })
      yield* told(cronJob, "Normal", "SuccessfulDelete", `Deleted job ${metadata.name}`)
    }
  })

  /** A job of that name that is there already was made before a crash. */
  const createJob = Effect.fnUntraced(function* (cronJob: CronJobObject, atMs: number) {
    const key = {
      resource: jobs,
      namespace: cronJob.metadata.namespace,
      name: jobNameOf(cronJob, atMs)
    }
    const made = yield* Effect.result(objects.create(jobs, jobOf(cronJob, atMs)))
    if (made._tag === "Failure" && made.failure.reason !== "AlreadyExists") {
      yield* told(cronJob, "Warning", "FailedCreate", `Error creating job: ${made.failure.message}`)
      return yield* made.failure
    }
    if (made._tag === "Success") yield* told(cronJob, "Normal", "SuccessfulCreate", `Created job ${key.name}`)
    return yield* Controller.read(JobObject, key)
  })

  const reconcile = Effect.fn("CronJobController.reconcile")(function* (key: string) {
    const found = yield* Controller.read(CronJobObject, objectKey(cronJobs, key))
    if (Option.isNone(found)) {
      return converged
    }
    const cronJob = found.value
    const { uid, namespace } = cronJob.metadata
    const all = yield* Controller.readAll(JobObject, jobs, { namespace })
    const owned = all.filter((job) => controllerOf(job.metadata)?.uid === uid)
    const plan = planCronJob(cronJob, owned, yield* Controller.nowMs)
    for (const { type, reason, message } of plan.happenings) yield* told(cronJob, type, reason, message)
    yield* remove(cronJob, [...plan.replace, ...plan.forget])
    const replaced = new Set(plan.replace.map((job) => job.metadata.uid))
    const started = plan.startMs === undefined ? Option.none() : yield* createJob(cronJob, plan.startMs)
    const active = [
      ...plan.status.active.filter((job) => !replaced.has(job.uid)),
      ...(Option.isSome(started) && !owned.some((job) => job.metadata.uid === started.value.metadata.uid)
        ? [referenceOf(started.value)]
        : [])
    ]
    const status = statusJson({
      ...plan.status,
      active,
      ...(plan.startMs === undefined ? {} : { lastScheduleTime: toTimestamp(plan.startMs) })
    })
    yield* objects.modify(
      objectKey(cronJobs, key),
      (object) =>
        object.metadata.uid !== uid || sameJson(object["status"], status)
          ? undefined
          : withField(object, ["status"], status),
      { subresource: "status" }
    )
    return againAfter(plan.againInSeconds, config.requeueMin)
  })

  yield* Controller.run({
    name: "cronjob",
    resource: cronJobs,
    triggers: [{ resource: jobs, keys: (job) => Effect.succeed(ownerKey(job, "CronJob")) }],
    reconcile
  })
})
