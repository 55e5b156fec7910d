/** Why one pod is not ready, in words for the person who pushed, and whether it can still become ready. Pure. */
import type { ObservedReason } from "@starform/domain/observed/ObservedApp"
import * as Duration from "effect/Duration"
import type { Settings } from "../ShuttleConfig.ts"
import { conditionOf, type PodStatus, type Terminated } from "./WorkloadStatus.ts"

export interface PodProblem {
  readonly reason: ObservedReason
  /** It will not heal without a change of the app. */
  readonly isFinal: boolean
  /** The lines that explain it were printed by the run before the present one. */
  readonly isInPreviousRun: boolean
  readonly restarts: number
}

export interface ProblemLimits extends Pick<Settings, "crashesMax" | "unreachableGrace"> {
  readonly nowMs: number
  /** Of the app; whether it is asked over HTTP, and how long it may take. */
  readonly healthPath: string | null
  readonly startupSeconds: number
}

type ContainerStatus = NonNullable<PodStatus["containerStatuses"]>[number]

/** Told by the Ready condition of a node that knows which addresses a process listens on. */
const addressReasons = new Set(["WrongPort", "UnreachableInterface"])

const imageReasons = new Set(["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"])
const configReasons = new Set(["CreateContainerConfigError", "CreateContainerError", "RunContainerError"])

const problem = (
  code: string,
  message: string,
  isFinal: boolean,
  container?: ContainerStatus,
  isInPreviousRun = false
): PodProblem => ({
  reason: { code, message },
  isFinal,
  isInPreviousRun,
  restarts: container?.restartCount ?? 0
})

const millisOf = (text: string | null | undefined): number | null => {
  const millis = text === null || text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(millis) ? null : millis
}

/** How a run ended, e.g. `exited with status 1`, `was killed by signal 9`. */
const ending = ({ exitCode, signal }: Terminated): string =>
  signal !== undefined && signal !== 0
    ? `was ended by signal ${signal}`
    : `exited with status ${exitCode ?? "unknown"}`

/** A run that ended after its whole start-up time was ended by its start-up check, not by itself. */
const isStartupTimeout = ({ finishedAt, startedAt }: Terminated, limits: ProblemLimits): boolean => {
  const from = millisOf(startedAt)
  const to = millisOf(finishedAt)
  return from !== null && to !== null && to - from >= limits.startupSeconds * 1000
}

const startupTimeout = (limits: ProblemLimits, isFinal: boolean, container: ContainerStatus): PodProblem =>
  limits.healthPath === null
    ? problem(
        "PortNotOpen",
        `nothing listened on the port in PORT within ${limits.startupSeconds} s`,
        isFinal,
        container,
        true
      )
    : problem(
        "HealthCheckFailed",
        `${limits.healthPath} did not answer with success within ${limits.startupSeconds} s`,
        isFinal,
        container,
        true
      )

const crash = (container: ContainerStatus, limits: ProblemLimits): PodProblem | null => {
  const { lastState, state } = container
  const run = state?.terminated ?? lastState?.terminated
  if (run === undefined) return null
  const restarts = container.restartCount ?? 0
  const ends = restarts + (state?.terminated === undefined ? 0 : 1)
  const isFinal = ends >= limits.crashesMax || state?.waiting?.reason === "CrashLoopBackOff"
  const isPrevious = state?.terminated === undefined
  if (run.reason === "OOMKilled") {
    return problem("OOMKilled", "it used more memory than it has", isFinal, container, isPrevious)
  }
  if (isStartupTimeout(run, limits)) return startupTimeout(limits, isFinal, container)
  const times = ends > 1 ? `, ${ends} times` : ""
  return problem("CrashLoopBackOff", `the process ${ending(run)}${times}`, isFinal, container, isPrevious)
}

const waiting = (container: ContainerStatus): PodProblem | null => {
  const reason = container.state?.waiting?.reason ?? ""
  const message = container.state?.waiting?.message ?? ""
  if (imageReasons.has(reason)) {
    return problem(
      "ImagePullBackOff",
      message || "its image cannot be had",
      reason !== "ErrImagePull",
      container
    )
  }
  return configReasons.has(reason)
    ? problem("ContainerConfigInvalid", message || "its container cannot be made", true, container)
    : null
}

const address = (
  status: PodStatus,
  limits: ProblemLimits,
  container?: ContainerStatus
): PodProblem | null => {
  const ready = conditionOf(status, "Ready")
  if (ready?.status === "True" || !addressReasons.has(ready?.reason ?? "")) return null
  const since = millisOf(container?.state?.running?.startedAt) ?? millisOf(status.startTime) ?? limits.nowMs
  const isOver = limits.nowMs - since >= Duration.toMillis(limits.unreachableGrace)
  const isRestarted = (container?.restartCount ?? 0) > 0
  return problem(ready?.reason ?? "", ready?.message ?? "", isOver || isRestarted, container)
}

/** It runs, and has not opened its port for a while: most likely it never will, but it has all of its time. */
const silence = (container: ContainerStatus | undefined, limits: ProblemLimits): PodProblem | null => {
  const since = millisOf(container?.state?.running?.startedAt)
  const isLong = since !== null && limits.nowMs - since >= Duration.toMillis(limits.unreachableGrace)
  return isLong && limits.healthPath === null
    ? problem("PortNotOpen", "nothing listens on the port in PORT", false, container)
    : null
}

const scheduling = (status: PodStatus): PodProblem | null => {
  const scheduled = conditionOf(status, "PodScheduled")
  return scheduled?.status === "False"
    ? problem("Unschedulable", "the cluster has no room for it yet", false)
    : null
}

/** `null` when the pod is ready or nothing is known against it. */
export const podProblem = (status: PodStatus, limits: ProblemLimits): PodProblem | null => {
  if (conditionOf(status, "Ready")?.status === "True") return null
  const container = status.containerStatuses?.[0]
  const known =
    address(status, limits, container) ??
    (container === undefined ? null : (waiting(container) ?? crash(container, limits)))
  return known ?? scheduling(status) ?? silence(container, limits)
}
