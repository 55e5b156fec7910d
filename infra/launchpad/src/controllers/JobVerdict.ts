/** What has become of a Job, and the conditions that say so. Pure. */
import type { JobPods } from "./JobPods.ts"
import type { JobObject, JobStatus } from "./objects/BatchObjects.ts"
import { conditionOf, type ObjectCondition } from "./objects/ObjectCondition.ts"
import type { PodObject } from "./objects/PodObject.ts"
import { fromTimestamp, toTimestamp } from "./objects/Timestamp.ts"

export interface Verdict {
  readonly goal: "SuccessCriteriaMet" | "FailureTarget"
  readonly end: "Complete" | "Failed"
  readonly reason: string
  readonly message: string
}

const completed: Verdict = {
  goal: "SuccessCriteriaMet",
  end: "Complete",
  reason: "CompletionsReached",
  message: "Reached expected number of succeeded pods"
}

const failed = (reason: string, message: string): Verdict => ({
  goal: "FailureTarget",
  end: "Failed",
  reason,
  message
})

const isTrue = (status: JobStatus, type: string): boolean =>
  conditionOf(status.conditions, type)?.status === "True"

export const isOver = (job: JobObject): boolean =>
  isTrue(job.status, "Complete") || isTrue(job.status, "Failed")

const restartsOf = (pods: ReadonlyArray<PodObject>): number =>
  pods.flatMap((pod) => pod.status.containerStatuses).reduce((sum, { restartCount }) => sum + restartCount, 0)

/** Until the job has taken too long. */
export const deadlineSeconds = ({ spec, status }: JobObject, nowMs: number): number | undefined =>
  spec.activeDeadlineSeconds === undefined || status.startTime === undefined || spec.suspend
    ? undefined
    : spec.activeDeadlineSeconds - (nowMs - fromTimestamp(status.startTime)) / 1000

/** What has become of the job; once decided it stays so. */
export const verdictOf = (job: JobObject, pods: JobPods, nowMs: number): Verdict | undefined => {
  const { spec, status } = job
  if (isTrue(status, "SuccessCriteriaMet")) return completed
  const target = conditionOf(status.conditions, "FailureTarget")
  if (target?.status === "True") return failed(target.reason, target.message)
  const restarts = spec.template.spec["restartPolicy"] === "OnFailure" ? restartsOf(pods.active) : 0
  const isSpent = spec.backoffLimit === 0 ? restarts > 0 : restarts >= spec.backoffLimit
  if (pods.failedTotal > spec.backoffLimit || (restarts > 0 && isSpent)) {
    return failed("BackoffLimitExceeded", "Job has reached the specified backoff limit")
  }
  if ((deadlineSeconds(job, nowMs) ?? 1) <= 0) {
    return failed("DeadlineExceeded", "Job was active longer than specified deadline")
  }
  const isDone =
    spec.completions === undefined
      ? pods.succeededTotal > 0 && pods.active.length === 0
      : pods.succeededTotal >= spec.completions
  return isDone && !spec.suspend ? completed : undefined
}

const condition = (
  type: string,
  status: "True" | "False",
  reason: string,
  message: string,
  nowMs: number
): ObjectCondition => ({ type, status, lastTransitionTime: toTimestamp(nowMs), reason, message })

/** Conditions that this look adds or turns. */
export const turnedBy = (
  job: JobObject,
  pods: JobPods,
  verdict: Verdict | undefined,
  nowMs: number
): ReadonlyArray<ObjectCondition> => {
  const { spec, status } = job
  const { uncountedTerminatedPods: uncounted } = pods.account
  if (verdict !== undefined) {
    const isQuiet =
      pods.active.length === 0 &&
      pods.terminating === 0 &&
      uncounted.succeeded.length + uncounted.failed.length === 0
    const wanted = [verdict.goal, ...(isQuiet ? [verdict.end] : [])]
    return wanted
      .filter((type) => !isTrue(status, type))
      .map((type) => condition(type, "True", verdict.reason, verdict.message, nowMs))
  }
  const wasSuspended = isTrue(status, "Suspended")
  if (spec.suspend === wasSuspended) return []
  return spec.suspend
    ? [condition("Suspended", "True", "JobSuspended", "Job suspended", nowMs)]
    : [condition("Suspended", "False", "JobResumed", "Job resumed", nowMs)]
}
