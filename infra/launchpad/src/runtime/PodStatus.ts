/** Container states → the pod's `status`, in Kubernetes' shape and wording (pure). */
import { toTimestamp } from "../controllers/objects/Timestamp.ts"
import { conditionOf, type ObjectCondition } from "../controllers/objects/ObjectCondition.ts"
import { podAddress } from "./ContainerEnvironment.ts"
import { isContainerReady, type ContainerState, type TerminatedRun } from "./ContainerState.ts"
import type { ContainerSpecification, PodSpecification } from "./PodSpecification.ts"

export interface PodFacts {
  readonly pod: PodSpecification
  readonly initContainers: ReadonlyArray<ContainerState>
  readonly containers: ReadonlyArray<ContainerState>
  /** A reason that concerns the pod as a whole and ended it, e.g. `PortsExhausted`. */
  readonly failure: { readonly reason: string; readonly message: string } | undefined
  readonly nowMs: number
}

type Json = Readonly<Record<string, unknown>>

const terminatedJson = (run: TerminatedRun): Json => ({
  exitCode: run.exitCode,
  ...(run.signal === undefined ? {} : { signal: run.signal }),
  reason: run.reason,
  ...(run.message === undefined ? {} : { message: run.message }),
  startedAt: run.startedAtMs === undefined ? null : toTimestamp(run.startedAtMs),
  finishedAt: toTimestamp(run.finishedAtMs),
  ...(run.instanceId === "" ? {} : { containerID: `launchpad://${run.instanceId}` })
})

const stateJson = ({ state }: ContainerState): Json => {
  switch (state._tag) {
    case "Waiting":
      return {
        waiting: {
          reason: state.reason,
          ...(state.message === undefined ? {} : { message: state.message })
        }
      }
    case "Running":
      return { running: { startedAt: toTimestamp(state.startedAtMs) } }
    case "Terminated":
      return { terminated: terminatedJson(state.run) }
  }
}

const instanceOf = ({ state, last }: ContainerState): string =>
  state._tag === "Running"
    ? state.instanceId
    : state._tag === "Terminated"
      ? state.run.instanceId
      : (last?.instanceId ?? "")

const containerJson = (container: ContainerState): Json => {
  const instanceId = instanceOf(container)
  return {
    name: container.name,
    state: stateJson(container),
    lastState: container.last === undefined ? {} : { terminated: terminatedJson(container.last) },
    ready: isContainerReady(container),
    restartCount: container.restartCount,
    image: container.image,
    imageID: instanceId === "" ? "" : container.image,
    ...(instanceId === "" ? {} : { containerID: `launchpad://${instanceId}` }),
    started: container.state._tag === "Running" && container.started
  }
}

const isDone = (container: ContainerState): boolean => container.state._tag === "Terminated"

const succeeded = (container: ContainerState): boolean =>
  container.state._tag === "Terminated" && container.state.run.exitCode === 0

/** Whether a terminated container stays so. */
const isOver = (pod: PodSpecification, container: ContainerState): boolean =>
  isDone(container) &&
  (pod.spec.restartPolicy === "Never" || (pod.spec.restartPolicy === "OnFailure" && succeeded(container)))

/** As `getPhase` of the kubelet: Pending until every init container succeeded and every container has run. */
export const podPhase = (facts: PodFacts): string => {
  if (facts.failure !== undefined) {
    return "Failed"
  }
  if (facts.initContainers.some((container) => isOver(facts.pod, container) && !succeeded(container))) {
    return "Failed"
  }
  const waitsForFirstRun = facts.containers.some(
    (container) => container.state._tag === "Waiting" && container.last === undefined
  )
  if (!facts.initContainers.every(succeeded) || waitsForFirstRun) {
    return "Pending"
  }
  if (facts.containers.every((container) => isOver(facts.pod, container))) {
    return facts.containers.every(succeeded) ? "Succeeded" : "Failed"
  }
  return "Running"
}

interface Verdict {
  readonly type: string
  readonly status: boolean
  readonly reason?: string
  readonly message?: string
}

const names = (containers: ReadonlyArray<ContainerState>): string =>
  containers.map((container) => container.name).join(" ")

const readiness = (type: string, facts: PodFacts, phase: string): Verdict => {
  if (phase === "Succeeded") {
    return { type, status: false, reason: "PodCompleted" }
  }
  if (phase === "Failed") {
    return { type, status: false, reason: "PodFailed" }
  }
  const unready = facts.containers.filter((container) => !isContainerReady(container))
  const problem = unready.find((container) => container.listenProblem !== undefined)?.listenProblem
  if (problem !== undefined) {
    return { type, status: false, reason: problem.reason, message: problem.message }
  }
  return unready.length === 0
    ? { type, status: true }
    : {
        type,
        status: false,
        reason: "ContainersNotReady",
        message: `containers with unready status: [${names(unready)}]`
      }
}

const verdicts = (facts: PodFacts, phase: string): ReadonlyArray<Verdict> => {
  const incomplete = facts.initContainers.filter((container) => !succeeded(container))
  return [
    { type: "PodReadyToStartContainers", status: facts.failure === undefined },
    incomplete.length === 0
      ? { type: "Initialized", status: true }
      : {
          type: "Initialized",
          status: false,
          reason: "ContainersNotInitialized",
          message: `containers with incomplete status: [${names(incomplete)}]`
        },
    readiness("Ready", facts, phase),
    readiness("ContainersReady", facts, phase),
    { type: "PodScheduled", status: true }
  ]
}

const conditionJson = (previous: ReadonlyArray<ObjectCondition>, verdict: Verdict, nowMs: number): Json => {
  const status = verdict.status ? "True" : "False"
  const before = conditionOf(previous, verdict.type)
  return {
    type: verdict.type,
    status,
    lastProbeTime: null,
    lastTransitionTime:
      before?.status === status && before.lastTransitionTime !== undefined
        ? before.lastTransitionTime
        : toTimestamp(nowMs),
    ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
    ...(verdict.message === undefined ? {} : { message: verdict.message })
  }
}

/** Requests and limits equal in every container: Guaranteed; none at all: BestEffort; else Burstable. */
export const qosClass = (containers: ReadonlyArray<ContainerSpecification>): string => {
  const resources = containers.map((container) => container.resources)
  if (resources.every(({ limits, requests }) => Object.keys({ ...limits, ...requests }).length === 0)) {
    return "BestEffort"
  }
  const guaranteed = resources.every(({ limits, requests }) =>
    ["cpu", "memory"].every(
      (name) => limits[name] !== undefined && (requests[name] ?? limits[name]) === limits[name]
    )
  )
  return guaranteed ? "Guaranteed" : "Burstable"
}

/** Conditions keep their transition times from `pod.status`; the result is equal for equal facts but for new times. */
export const podStatus = (facts: PodFacts): Json => {
  const phase = podPhase(facts)
  return {
    phase,
    ...facts.failure,
    conditions: verdicts(facts, phase).map((verdict) =>
      conditionJson(facts.pod.status.conditions, verdict, facts.nowMs)
    ),
    hostIP: podAddress,
    hostIPs: [{ ip: podAddress }],
    podIP: podAddress,
    podIPs: [{ ip: podAddress }],
    startTime: facts.pod.status.startTime ?? toTimestamp(facts.nowMs),
    ...(facts.initContainers.length === 0
      ? {}
      : { initContainerStatuses: facts.initContainers.map(containerJson) }),
    containerStatuses: facts.containers.map(containerJson),
    qosClass: qosClass(facts.pod.spec.containers)
  }
}
