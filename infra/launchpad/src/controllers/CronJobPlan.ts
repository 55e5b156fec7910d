/** One look at a CronJob and its jobs → whether one is due, which go, and the status. Follows Kubernetes' cronjob controller. */
import * as Cron from "effect/Cron"
import * as Result from "effect/Result"
import * as CronSchedule from "../kubernetes/CronSchedule.ts"
import type { CronJobObject, CronJobStatus, JobObject } from "./objects/BatchObjects.ts"
import { conditionOf } from "./objects/ObjectCondition.ts"
import { fromTimestamp, toTimestamp } from "./objects/Timestamp.ts"

export interface CronJobHappening {
  readonly type: "Normal" | "Warning"
  readonly reason: string
  readonly message: string
}

export interface CronJobPlan {
  /** The time for which a job is to be created, in milliseconds since the epoch. */
  readonly startMs: number | undefined
  /** Jobs in the way of a new one. */
  readonly replace: ReadonlyArray<JobObject>
  /** Finished jobs beyond the history's limits. */
  readonly forget: ReadonlyArray<JobObject>
  /** Before a new job is in it. */
  readonly status: CronJobStatus
  readonly happenings: ReadonlyArray<CronJobHappening>
  readonly againInSeconds: number | undefined
}

/** More missed times than this are told, as Kubernetes does. */
const missedMax = 100

/** Nobody sleeps longer than this; the schedule is looked at again anyway. */
const sleepMaxSeconds = 3600

const ended = (job: JobObject, type: "Complete" | "Failed"): boolean =>
  conditionOf(job.status.conditions, type)?.status === "True"

const isOver = (job: JobObject): boolean => ended(job, "Complete") || ended(job, "Failed")

const startedMs = (job: JobObject): number =>
  fromTimestamp(job.status.startTime ?? job.metadata.creationTimestamp)

const beyond = (jobs: ReadonlyArray<JobObject>, limit: number): ReadonlyArray<JobObject> =>
  [...jobs].sort((a, b) => startedMs(b) - startedMs(a)).slice(limit)

const latest = (...times: ReadonlyArray<string | undefined>): string | undefined =>
  times
    .filter((time) => time !== undefined)
    .sort()
    .at(-1)

const statusOf = (cronJob: CronJobObject, jobs: ReadonlyArray<JobObject>): CronJobStatus => {
  const lastSuccessfulTime = latest(
    cronJob.status.lastSuccessfulTime,
    ...jobs.filter((job) => ended(job, "Complete")).map((job) => job.status.completionTime)
  )
  return {
    ...cronJob.status,
    active: jobs
      .filter((job) => !isOver(job))
      .map((job) => cronJob.status.active.find(({ uid }) => uid === job.metadata.uid) ?? referenceOf(job)),
    ...(lastSuccessfulTime === undefined ? {} : { lastSuccessfulTime })
  }
}

export const referenceOf = ({ metadata }: Pick<JobObject, "metadata">) => ({
  apiVersion: "batch/v1",
  kind: "Job",
  namespace: metadata.namespace,
  name: metadata.name,
  uid: metadata.uid,
  resourceVersion: metadata.resourceVersion
})

interface Due {
  /** The latest time that has come and was not served. */
  readonly atMs: number | undefined
  readonly nextMs: number
  readonly isMany: boolean
}

const dueOf = (cron: Cron.Cron, { spec, status, metadata }: CronJobObject, nowMs: number): Due => {
  const since = fromTimestamp(status.lastScheduleTime ?? metadata.creationTimestamp)
  const deadline = spec.startingDeadlineSeconds
  const earliest = deadline === undefined ? since : Math.max(since, nowMs - deadline * 1000)
  const nextMs = Cron.next(cron, nowMs).getTime()
  const first = Cron.next(cron, earliest).getTime()
  if (first > nowMs) return { atMs: undefined, nextMs, isMany: false }
  const second = Math.floor(nowMs / 1000) * 1000
  const last = Cron.match(cron, second) ? second : Math.max(first, Cron.prev(cron, second).getTime())
  const period = Cron.next(cron, first).getTime() - first
  return { atMs: last, nextMs, isMany: deadline === undefined && (nowMs - first) / period > missedMax }
}

const warning = (reason: string, message: string): CronJobHappening => ({ type: "Warning", reason, message })

/** `jobs` are those whose controller is this CronJob. */
export const planCronJob = (
  cronJob: CronJobObject,
  jobs: ReadonlyArray<JobObject>,
  nowMs: number
): CronJobPlan => {
  const { metadata, spec, status: past } = cronJob
  const status = statusOf(cronJob, jobs)
  const running = jobs.filter((job) => !isOver(job) && job.metadata.deletionTimestamp === undefined)
  const happenings = past.active
    .filter(({ uid }) => !status.active.some((job) => job.uid === uid))
    .map(({ uid, name }): CronJobHappening => {
      const job = jobs.find((one) => one.metadata.uid === uid)
      if (job === undefined) return warning("MissingJob", `Active job went missing: ${name}`)
      const word = ended(job, "Complete") ? "Complete" : "Failed"
      return {
        type: "Normal",
        reason: "SawCompletedJob",
        message: `Saw completed job: ${name}, condition: ${word}`
      }
    })
  const idle: CronJobPlan = {
    startMs: undefined,
    replace: [],
    forget: [
      ...beyond(
        jobs.filter((job) => ended(job, "Complete")),
        spec.successfulJobsHistoryLimit
      ),
      ...beyond(
        jobs.filter((job) => ended(job, "Failed")),
        spec.failedJobsHistoryLimit
      )
    ],
    status,
    happenings,
    againInSeconds: undefined
  }
  const parsed = CronSchedule.parse(spec.schedule, spec.timeZone)
  if (metadata.deletionTimestamp !== undefined || spec.suspend || Result.isFailure(parsed)) return idle
  const { atMs, nextMs, isMany } = dueOf(parsed.success, cronJob, nowMs)
  const waiting = { ...idle, againInSeconds: Math.min((nextMs - nowMs) / 1000, sleepMaxSeconds) }
  if (atMs === undefined || past.lastScheduleTime === toTimestamp(atMs)) return waiting
  const told = isMany
    ? [
        ...happenings,
        warning(
          "TooManyMissedTimes",
          "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        )
      ]
    : happenings
  if (spec.concurrencyPolicy === "Forbid" && running.length > 0) {
    const message = "Not starting job because prior execution is running and concurrency policy is Forbid"
    return { ...waiting, happenings: [...told, { type: "Normal", reason: "JobAlreadyActive", message }] }
  }
  return {
    ...waiting,
    startMs: atMs,
    replace: spec.concurrencyPolicy === "Replace" ? running : [],
    happenings: told
  }
}

/** Named after its minute, so that no time is served twice. */
export const jobNameOf = (cronJob: CronJobObject, atMs: number): string =>
  `${cronJob.metadata.name}-${Math.floor(atMs / 60_000)}`
