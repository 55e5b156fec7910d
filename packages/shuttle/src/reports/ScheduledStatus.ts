/** What the objects of an app that runs on a schedule show. Pure; INV-REP-7. */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { ProcessName } from "@starform/domain/ids/Slug"
import type { ObservedProcess, ObservedReason } from "@starform/domain/observed/ObservedApp"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"
import { appIdAnnotation, releaseIdAnnotation } from "../manifests/ShuttleAnnotations.ts"
import { processLabel } from "../manifests/ShuttleLabels.ts"
import type { AppOutcome } from "../reconcile/AppOutcome.ts"
import { type Blocked, deployOf, type FailingPod, ofAttempt, ordinalOf, type Seen } from "./Seen.ts"
import { jobView, podStatus, runsActive } from "./WorkloadStatus.ts"

interface Failure {
  readonly reason: ObservedReason
  readonly failing: FailingPod | null
}

const decodeProcess = Schema.decodeUnknownOption(ProcessName)

const endingOf = (pod: ObservedObject | undefined): string => {
  const run = pod === undefined ? undefined : podStatus(pod).containerStatuses?.[0]?.state?.terminated
  if (run === undefined) return "failed"
  if (run.reason === "OOMKilled") return "used more memory than it has"
  return run.signal !== undefined && run.signal !== 0
    ? `was ended by signal ${run.signal}`
    : `exited with status ${run.exitCode ?? "unknown"}`
}

const failureOf = (job: ObservedObject, objects: ReadonlyArray<ObservedObject>): Failure => {
  const { failure, startTime } = jobView(job)
  const pod = objects.find((object) => object.kind === "Pod" && object.controllerUid === job.uid)
  const ending = failure?.reason === "DeadlineExceeded" ? "took longer than a run may take" : endingOf(pod)
  return {
    reason: { code: "RunFailed", message: `the run of ${startTime ?? "unknown time"} ${ending}` },
    failing:
      pod === undefined
        ? null
        : {
            namespace: pod.namespace ?? "",
            name: pod.name,
            isInPreviousRun: false,
            isProbed: false,
            restarts: 0
          }
  }
}

/** How the newest run that ended went, among those of the release that the CronJob is of. */
const lastFailure = (cronJob: ObservedObject, objects: ReadonlyArray<ObservedObject>): Failure | null => {
  const ended = objects
    .filter(
      (object) =>
        object.kind === "Job" &&
        object.controllerUid === cronJob.uid &&
        object.annotations[releaseIdAnnotation] === cronJob.annotations[releaseIdAnnotation] &&
        jobView(object).isEnded
    )
    .sort((a, b) => ((jobView(a).startTime ?? "") < (jobView(b).startTime ?? "") ? -1 : 1))
  const newest = ended.at(-1)
  return newest === undefined || jobView(newest).failure === undefined ? null : failureOf(newest, objects)
}

const processesOf = (cronJob: ObservedObject): ReadonlyArray<ObservedProcess> => {
  const runs = runsActive(cronJob)
  return Option.toArray(decodeProcess(cronJob.labels[processLabel])).map((name) => ({
    name,
    desiredReplicas: runs,
    readyReplicas: runs,
    updatedReplicas: runs
  }))
}

const judge = (
  isSettled: boolean,
  blocked: Blocked | undefined,
  failure: Failure | null
): Pick<Seen["status"], "phase" | "reason"> => {
  if (blocked !== undefined) {
    const reason = { code: blocked.code, message: blocked.message }
    return { phase: blocked._tag === "Refused" ? "failed" : "progressing", reason }
  }
  return { phase: isSettled ? "available" : "progressing", reason: failure?.reason ?? null }
}

/**
 * It is available as soon as its CronJob is there as wanted: a run may be due next month. One that fails is told, and
 * fails no deploy.
 */
export const scheduledStatus = (
  app: DesiredApp,
  objects: ReadonlyArray<ObservedObject>,
  outcome: AppOutcome | undefined
): Seen | null => {
  const cronJobs = objects.filter(
    (object) =>
      object.kind === "CronJob" && !object.deleting && object.annotations[appIdAnnotation] === app.appId
  )
  const [cronJob] = cronJobs.sort((a, b) => ordinalOf(b) - ordinalOf(a))
  const ordinal = cronJob === undefined ? -1 : ordinalOf(cronJob)
  const blocked = outcome?._tag === "Refused" || outcome?._tag === "Retrying" ? outcome : undefined
  if (blocked !== undefined && ordinal < blocked.ordinal) return ofAttempt(blocked)
  if (cronJob === undefined) return null
  const isApplied = outcome === undefined || (outcome._tag === "Applied" && outcome.ordinal === ordinal)
  const failure = lastFailure(cronJob, objects)
  return {
    status: {
      appId: app.appId,
      ...deployOf(cronJob),
      ordinal,
      ...judge(isApplied && app.ordinal === ordinal, blocked, failure),
      processes: processesOf(cronJob),
      output: []
    },
    failing: blocked === undefined ? (failure?.failing ?? null) : null,
    isTicking: false
  }
}
