/** One look at a Job and its pods → pods to create, delete and let go, and the status. Follows Kubernetes' job controller. */
import { type JobPods, sortPods } from "./JobPods.ts"
import { deadlineSeconds, isOver, turnedBy, verdictOf } from "./JobVerdict.ts"
import type { JobObject } from "./objects/BatchObjects.ts"
import { conditionOf, type ObjectCondition } from "./objects/ObjectCondition.ts"
import { isReady, type PodObject } from "./objects/PodObject.ts"
import { fromTimestamp, toTimestamp } from "./objects/Timestamp.ts"

export interface JobBackOff {
  readonly firstMs: number
  readonly maxMs: number
}

export interface JobPlan {
  /** How many pods to create. */
  readonly create: number
  readonly remove: ReadonlyArray<PodObject>
  /** Pods whose end is accounted for: their finalizer goes. */
  readonly release: ReadonlyArray<PodObject>
  readonly status: Readonly<Record<string, unknown>>
  /** New conditions, for Events. */
  readonly turned: ReadonlyArray<ObjectCondition>
  /** The job is over for longer than it is to be kept. */
  readonly expired: boolean
  readonly againInSeconds: number | undefined
}

/** Seconds until a pod may follow those that failed in a row. */
const backOffSeconds = ({ failedAtMs }: JobPods, { firstMs, maxMs }: JobBackOff, nowMs: number): number => {
  const last = failedAtMs.at(-1)
  if (last === undefined) return 0
  const delay = Math.min(firstMs * 2 ** Math.min(failedAtMs.length - 1, 30), maxMs)
  return Math.max(0, (last + delay - nowMs) / 1000)
}

const wantedActive = ({ spec }: JobObject, pods: JobPods): number => {
  if (spec.suspend) return 0
  if (spec.completions !== undefined)
    return Math.min(spec.parallelism, spec.completions - pods.succeededTotal)
  return pods.succeededTotal > 0 ? Math.min(pods.active.length, spec.parallelism) : spec.parallelism
}

/** Whom to give up first: those who do least. */
const surplus = (active: ReadonlyArray<PodObject>, keep: number): ReadonlyArray<PodObject> =>
  [...active].sort((a, b) => Number(isReady(b)) - Number(isReady(a))).slice(Math.max(0, keep))

const statusJson = (
  job: JobObject,
  pods: JobPods,
  turned: ReadonlyArray<ObjectCondition>,
  nowMs: number
): Readonly<Record<string, unknown>> => {
  const { status, spec } = job
  const types = new Set(turned.map(({ type }) => type))
  const conditions = [...status.conditions.filter(({ type }) => !types.has(type)), ...turned].map(
    ({ type, status: value, reason, message, lastTransitionTime }) => ({
      type,
      status: value,
      lastProbeTime: lastTransitionTime,
      lastTransitionTime,
      reason,
      message
    })
  )
  const isResumed = turned.some(({ reason }) => reason === "JobResumed")
  const startTime = spec.suspend && !isOver(job) ? undefined : isResumed ? undefined : status.startTime
  const { succeeded, failed: lost, uncountedTerminatedPods: uncounted } = pods.account
  const listed = Object.entries(uncounted).filter(([, uids]) => uids.length > 0)
  return {
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(spec.suspend && !isOver(job) ? {} : { startTime: startTime ?? toTimestamp(nowMs) }),
    ...(types.has("Complete")
      ? { completionTime: toTimestamp(nowMs) }
      : status.completionTime === undefined
        ? {}
        : { completionTime: status.completionTime }),
    ...(pods.active.length === 0 ? {} : { active: pods.active.length }),
    ...(succeeded === 0 ? {} : { succeeded }),
    ...(lost === 0 ? {} : { failed: lost }),
    terminating: pods.terminating,
    uncountedTerminatedPods: Object.fromEntries(listed),
    ready: pods.ready
  }
}

const ttlSeconds = ({ spec, status }: JobObject, nowMs: number): number | undefined => {
  const end = conditionOf(status.conditions, "Complete") ?? conditionOf(status.conditions, "Failed")
  return spec.ttlSecondsAfterFinished === undefined || end?.status !== "True"
    ? undefined
    : spec.ttlSecondsAfterFinished - (nowMs - fromTimestamp(end.lastTransitionTime)) / 1000
}

const soonest = (...seconds: ReadonlyArray<number | undefined>): number | undefined => {
  const known = seconds.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

/** `owned` are the pods whose controller is this job. */
export const planJob = (
  job: JobObject,
  owned: ReadonlyArray<PodObject>,
  nowMs: number,
  backOff: JobBackOff
): JobPlan => {
  const pods = sortPods(job, owned)
  const isLeaving = job.metadata.deletionTimestamp !== undefined
  const wasOver = isOver(job)
  const verdict = wasOver || isLeaving ? undefined : verdictOf(job, pods, nowMs)
  const turned = wasOver || isLeaving ? [] : turnedBy(job, pods, verdict, nowMs)
  const isRunning = !wasOver && !isLeaving && verdict === undefined
  const wanted = isRunning ? wantedActive(job, pods) : 0
  const occupied = pods.active.length + (job.spec.podReplacementPolicy === "Failed" ? pods.terminating : 0)
  const missing = isRunning ? Math.max(0, wanted - occupied) : 0
  const wait = missing === 0 ? 0 : backOffSeconds(pods, backOff, nowMs)
  const left = ttlSeconds(job, nowMs)
  return {
    create: wait > 0 ? 0 : missing,
    remove: isLeaving ? [] : surplus(pods.active, wanted),
    release: pods.released,
    status: statusJson(job, pods, turned, nowMs),
    turned,
    expired: left !== undefined && left <= 0 && !isLeaving,
    againInSeconds: soonest(
      wait > 0 ? wait : undefined,
      isRunning ? deadlineSeconds(job, nowMs) : undefined,
      left
    )
  }
}
