/** A job's pods, sorted by what has become of them, and the account of their ends. Pure. */
import type { JobObject, JobStatus } from "./objects/BatchObjects.ts"
import { isFinished, isReady, isTerminating, type PodObject } from "./objects/PodObject.ts"
import { fromTimestamp } from "./objects/Timestamp.ts"

/** Holds a pod's object until its end is counted. */
export const trackingFinalizer = "batch.kubernetes.io/job-tracking"

export interface JobPods {
  readonly active: ReadonlyArray<PodObject>
  readonly ready: number
  /** On their way out, their processes not ended yet. */
  readonly terminating: number
  /** Their end is written down: the finalizer may go. */
  readonly released: ReadonlyArray<PodObject>
  /** What the account holds after this look; totals are with those that are not counted yet. */
  readonly account: Pick<JobStatus, "succeeded" | "failed" | "uncountedTerminatedPods">
  readonly succeededTotal: number
  readonly failedTotal: number
  /** Milliseconds since the epoch at which the last pods in a row failed, the latest last. */
  readonly failedAtMs: ReadonlyArray<number>
}

const isTracked = (pod: PodObject): boolean => pod.metadata.finalizers.includes(trackingFinalizer)

const hasSucceeded = (pod: PodObject): boolean => pod.status.phase === "Succeeded"

/** A pod that is taken away counts as failed: at once, or when its processes have ended, as the job wants it. */
const hasFailed = (pod: PodObject, policy: string): boolean =>
  pod.status.phase === "Failed" ||
  (isTerminating(pod) &&
    !hasSucceeded(pod) &&
    (policy !== "Failed" || pod.metadata.deletionGracePeriodSeconds === 0))

const endedAtMs = (pod: PodObject): number =>
  Math.max(
    fromTimestamp(pod.metadata.deletionTimestamp),
    ...pod.status.containerStatuses.map(({ state }) =>
      fromTimestamp(state.terminated?.finishedAt ?? undefined)
    )
  )

/** `pods` are those whose controller is the job. */
export const sortPods = (job: JobObject, pods: ReadonlyArray<PodObject>): JobPods => {
  const { podReplacementPolicy } = job.spec
  const { succeeded, failed, uncountedTerminatedPods: written } = job.status
  const tracked = pods.filter(isTracked)
  const held = new Set(tracked.map((pod) => pod.metadata.uid))
  const noted = new Set([...written.succeeded, ...written.failed])
  const fresh = tracked.filter((pod) => !noted.has(pod.metadata.uid))
  const uidsOf = (list: ReadonlyArray<PodObject>) => list.map((pod) => pod.metadata.uid)
  const uncounted = {
    succeeded: [...written.succeeded.filter((uid) => held.has(uid)), ...uidsOf(fresh.filter(hasSucceeded))],
    failed: [
      ...written.failed.filter((uid) => held.has(uid)),
      ...uidsOf(fresh.filter((pod) => hasFailed(pod, podReplacementPolicy)))
    ]
  }
  const account = {
    succeeded: succeeded + written.succeeded.filter((uid) => !held.has(uid)).length,
    failed: failed + written.failed.filter((uid) => !held.has(uid)).length,
    uncountedTerminatedPods: uncounted
  }
  const active = pods.filter((pod) => !isFinished(pod) && !isTerminating(pod))
  const lastSuccessMs = Math.max(-1, ...pods.filter(hasSucceeded).map(endedAtMs))
  return {
    active,
    ready: active.filter(isReady).length,
    terminating: pods.filter((pod) => isTerminating(pod) && !isFinished(pod)).length,
    released: tracked.filter((pod) => noted.has(pod.metadata.uid)),
    account,
    succeededTotal: account.succeeded + uncounted.succeeded.length,
    failedTotal: account.failed + uncounted.failed.length,
    failedAtMs: pods
      .filter((pod) => hasFailed(pod, podReplacementPolicy))
      .map(endedAtMs)
      .filter((ms) => ms > lastSuccessMs)
      .sort((a, b) => a - b)
  }
}
