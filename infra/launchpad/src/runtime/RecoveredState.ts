/** What a pod's recorded status says of a container when its node starts again (pure). */
import { fromTimestamp } from "../controllers/objects/Timestamp.ts"
import { initialState, type ContainerState, type TerminatedRun } from "./ContainerState.ts"
import type { ContainerSpecification, PodSpecification, RecordedContainerStatus } from "./PodSpecification.ts"

/** Exit code of a run whose end nobody saw (the kubelet's `ContainerStatusUnknown`). */
const unseenExitCode = 137

const identity = (id: string | undefined): string => (id ?? "").replace(/^launchpad:\/\//, "")

const recordedRun = (run: NonNullable<RecordedContainerStatus["state"]["terminated"]>): TerminatedRun => ({
  exitCode: run.exitCode,
  signal: run.signal,
  reason: run.reason,
  message: run.message,
  startedAtMs:
    run.startedAt === undefined || run.startedAt === null ? undefined : fromTimestamp(run.startedAt),
  finishedAtMs: fromTimestamp(run.finishedAt ?? undefined),
  instanceId: identity(run.containerID)
})

const lastRun = (recorded: RecordedContainerStatus, nowMs: number): TerminatedRun | undefined => {
  const { running, terminated } = recorded.state
  if (running !== undefined) {
    return {
      exitCode: unseenExitCode,
      signal: undefined,
      reason: "ContainerStatusUnknown",
      message: "The container ended with its node.",
      startedAtMs: fromTimestamp(running.startedAt ?? undefined),
      finishedAtMs: nowMs,
      instanceId: identity(recorded.containerID)
    }
  }
  const run = terminated ?? recorded.lastState.terminated
  return run === undefined ? undefined : recordedRun(run)
}

/**
 * A container that has run before starts again with restart count plus one; one that is over for good, or runs once only,
 * stays so.
 * Init containers run again, as they do when a node has lost its sandboxes.
 */
export const recoveredState = (
  pod: PodSpecification,
  container: ContainerSpecification,
  kind: "init" | "app",
  nowMs: number
): ContainerState => {
  const fresh = initialState(container.name, container.image)
  const statuses = kind === "init" ? pod.status.initContainerStatuses : pod.status.containerStatuses
  const recorded = statuses.find((status) => status.name === container.name)
  const last = recorded === undefined ? undefined : lastRun(recorded, nowMs)
  if (recorded === undefined || last === undefined) {
    return fresh
  }
  const policy = pod.spec.restartPolicy
  const staysOver =
    policy === "Never" ||
    (recorded.state.terminated !== undefined && policy === "OnFailure" && last.exitCode === 0)
  return staysOver && kind === "app"
    ? { ...fresh, restartCount: recorded.restartCount, state: { _tag: "Terminated", run: last } }
    : { ...fresh, restartCount: recorded.restartCount + 1, last }
}
