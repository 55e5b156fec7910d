/** The parts of Kubernetes' statuses that reports are made from. What does not fit reads as "nothing known yet". */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"

const key = Schema.optionalKey

const Condition = Schema.Struct({
  type: Schema.String,
  status: Schema.String,
  reason: key(Schema.String),
  message: key(Schema.String)
})
export type Condition = typeof Condition.Type

const DeploymentSpec = Schema.Struct({ replicas: key(Schema.Int) })
const DeploymentStatus = Schema.Struct({
  observedGeneration: key(Schema.Int),
  replicas: key(Schema.Int),
  updatedReplicas: key(Schema.Int),
  conditions: key(Schema.Array(Condition))
})

const CronJobStatus = Schema.Struct({ active: key(Schema.Array(Schema.Unknown)) })
const JobStatus = Schema.Struct({
  startTime: key(Schema.String),
  conditions: key(Schema.Array(Condition))
})

const Terminated = Schema.Struct({
  exitCode: key(Schema.Int),
  signal: key(Schema.Int),
  reason: key(Schema.String),
  startedAt: key(Schema.NullOr(Schema.String)),
  finishedAt: key(Schema.NullOr(Schema.String))
})
export type Terminated = typeof Terminated.Type

const ContainerState = Schema.Struct({
  waiting: key(Schema.Struct({ reason: key(Schema.String), message: key(Schema.String) })),
  running: key(Schema.Struct({ startedAt: key(Schema.NullOr(Schema.String)) })),
  terminated: key(Terminated)
})

const PodStatus = Schema.Struct({
  phase: key(Schema.String),
  startTime: key(Schema.String),
  conditions: key(Schema.Array(Condition)),
  containerStatuses: key(
    Schema.Array(
      Schema.Struct({
        restartCount: key(Schema.Int),
        ready: key(Schema.Boolean),
        state: key(ContainerState),
        lastState: key(ContainerState)
      })
    )
  )
})
export type PodStatus = typeof PodStatus.Type

export interface DeploymentView {
  readonly wantedReplicas: number
  /** All pods that are not ending, of any release. */
  readonly replicas: number
  readonly updatedReplicas: number
  /** The controller has seen the generation that was written last. */
  readonly isObserved: boolean
  readonly progressing: Condition | undefined
  /** Why pods of it cannot be made, in the cluster's words. */
  readonly refusal: string | undefined
}

const decodeSpec = Schema.decodeUnknownOption(DeploymentSpec)
const decodeStatus = Schema.decodeUnknownOption(DeploymentStatus)
const decodeCronJob = Schema.decodeUnknownOption(CronJobStatus)
const decodeJob = Schema.decodeUnknownOption(JobStatus)
const decodePod = Schema.decodeUnknownOption(PodStatus)

export const deploymentView = (deployment: ObservedObject): DeploymentView => {
  const spec = Option.getOrUndefined(decodeSpec(deployment.spec))
  const status = Option.getOrUndefined(decodeStatus(deployment.status))
  return {
    wantedReplicas: spec?.replicas ?? 1,
    replicas: status?.replicas ?? 0,
    updatedReplicas: status?.updatedReplicas ?? 0,
    isObserved: (status?.observedGeneration ?? 0) >= deployment.generation,
    progressing: status?.conditions?.find((condition) => condition.type === "Progressing"),
    refusal: status?.conditions?.find(({ status, type }) => type === "ReplicaFailure" && status === "True")
      ?.message
  }
}

export interface JobView {
  readonly startTime: string | undefined
  readonly isEnded: boolean
  /** Of a run that did not end well. */
  readonly failure: Condition | undefined
}

export const jobView = (job: ObservedObject): JobView => {
  const status = Option.getOrUndefined(decodeJob(job.status))
  const ends = (status?.conditions ?? []).filter((condition) => condition.status === "True")
  const failure = ends.find(({ type }) => type === "Failed")
  return {
    startTime: status?.startTime,
    isEnded: failure !== undefined || ends.some(({ type }) => type === "Complete"),
    failure
  }
}

/** Runs of a CronJob that have not ended. */
export const runsActive = (cronJob: ObservedObject): number =>
  Option.getOrUndefined(decodeCronJob(cronJob.status))?.active?.length ?? 0

export const podStatus = (pod: ObservedObject): PodStatus =>
  Option.getOrElse(decodePod(pod.status), (): PodStatus => ({}))

export const conditionOf = (status: PodStatus, type: string): Condition | undefined =>
  status.conditions?.find((condition) => condition.type === type)
