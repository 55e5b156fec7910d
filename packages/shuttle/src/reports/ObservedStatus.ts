/** What the objects of one app show, as Starbase is told it. Pure; INV-REP-1 … INV-REP-4. */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { ProcessName } from "@starform/domain/ids/Slug"
import type { ObservedApp, ObservedProcess, ObservedReason } from "@starform/domain/observed/ObservedApp"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"
import { appIdAnnotation } from "../manifests/ShuttleAnnotations.ts"
import { processLabel } from "../manifests/ShuttleLabels.ts"
import type { AppOutcome } from "../reconcile/AppOutcome.ts"
import { type PodProblem, podProblem, type ProblemLimits } from "./PodProblem.ts"
import { scheduledStatus } from "./ScheduledStatus.ts"
import { type Blocked, deployOf, type FailingPod, ofAttempt, ordinalOf, type Seen } from "./Seen.ts"
import { conditionOf, type DeploymentView, deploymentView, podStatus } from "./WorkloadStatus.ts"

export type StatusLimits = Omit<ProblemLimits, "healthPath" | "startupSeconds">

/** Set by the Deployment controller on the Deployment and on its ReplicaSets. */
const revisionAnnotation = "deployment.kubernetes.io/revision"
const templateHashLabel = "pod-template-hash"

interface ProcessView {
  readonly name: ProcessName
  readonly deployment: ObservedObject
  readonly view: DeploymentView
  readonly readyReplicas: number
  readonly updatedReplicas: number
  /** The fewest copies that are enough, where the cluster decides how many there are; else `null`. */
  readonly leastReplicas: number | null
  readonly problem: PodProblem | null
  readonly failing: FailingPod | null
}

const decodeProcess = Schema.decodeUnknownOption(ProcessName)

/** Pods of the Deployment's present template that are not ending. */
const podsOfRelease = (
  deployment: ObservedObject,
  view: DeploymentView,
  objects: ReadonlyArray<ObservedObject>
): ReadonlyArray<ObservedObject> => {
  if (!view.isObserved) return []
  const revision = deployment.annotations[revisionAnnotation]
  const replicaSet = objects.find(
    (object) =>
      object.kind === "ReplicaSet" &&
      object.controllerUid === deployment.uid &&
      object.annotations[revisionAnnotation] === revision
  )
  if (replicaSet === undefined) return []
  const hash = replicaSet.labels[templateHashLabel]
  return objects.filter(
    (object) =>
      object.kind === "Pod" &&
      !object.deleting &&
      (object.controllerUid === replicaSet.uid || object.labels[templateHashLabel] === hash) &&
      object.labels[processLabel] === deployment.labels[processLabel]
  )
}

/** The worst one speaks for the rest: a final problem before a passing one. */
const worst = (
  problems: ReadonlyArray<readonly [pod: ObservedObject, problem: PodProblem]>
): readonly [ObservedObject, PodProblem] | undefined =>
  problems.find(([, problem]) => problem.isFinal) ?? problems[0]

const processView = (
  app: DesiredApp,
  deployment: ObservedObject,
  objects: ReadonlyArray<ObservedObject>,
  limits: ProblemLimits
): Option.Option<ProcessView> =>
  Option.map(decodeProcess(deployment.labels[processLabel]), (name) => {
    const view = deploymentView(deployment)
    const pods = podsOfRelease(deployment, view, objects)
    // Copies that are to go are nobody's problem, however they ended.
    const wanted = view.wantedReplicas === 0 ? [] : pods
    const problems = wanted.flatMap((pod) => {
      const problem = podProblem(podStatus(pod), limits)
      return problem === null ? [] : [[pod, problem] as const]
    })
    const [pod, problem] = worst(problems) ?? [null, null]
    return {
      name,
      deployment,
      view,
      readyReplicas: pods.filter((each) => conditionOf(podStatus(each), "Ready")?.status === "True").length,
      updatedReplicas: pods.length,
      leastReplicas: app.processes.find((process) => process.name === name)?.autoscaling?.minReplicas ?? null,
      problem,
      failing:
        pod === null || problem === null
          ? null
          : {
              namespace: pod.namespace ?? "",
              name: pod.name,
              isInPreviousRun: problem.isInPreviousRun,
              isProbed: problem.reason.code === "HealthCheckFailed",
              restarts: problem.restarts
            }
    }
  })

/** Growing and shrinking by itself is no trouble: all copies are of this template, and enough of them serve. */
const isScalingWell = ({ leastReplicas, readyReplicas, view }: ProcessView): boolean =>
  leastReplicas !== null &&
  view.isObserved &&
  view.updatedReplicas === view.replicas &&
  readyReplicas >= Math.min(leastReplicas, view.wantedReplicas)

const isComplete = ({ readyReplicas, updatedReplicas, view }: ProcessView): boolean =>
  view.isObserved &&
  view.updatedReplicas === view.wantedReplicas &&
  view.replicas === view.wantedReplicas &&
  updatedReplicas === view.wantedReplicas &&
  readyReplicas === view.wantedReplicas

const isAvailable = (process: ProcessView): boolean =>
  isComplete(process) || (wasComplete(process) && isScalingWell(process))

/** The rollout of the present template came to its end once. */
const wasComplete = ({ view }: ProcessView): boolean =>
  view.isObserved && view.progressing?.reason === "NewReplicaSetAvailable"

const isOutOfTime = ({ view }: ProcessView): boolean =>
  view.isObserved &&
  view.progressing?.status === "False" &&
  view.progressing.reason === "ProgressDeadlineExceeded"

const hasUnready = ({ readyReplicas, updatedReplicas }: ProcessView): boolean =>
  readyReplicas < updatedReplicas

/** Pods that the cluster does not let in: the project's quota, or a rule of the cluster. */
const refusalReason = ({ view }: ProcessView): ObservedReason | undefined => {
  if (view.refusal === undefined) return undefined
  const [, quota] = /exceeded quota: [^,]*, (.*)$/.exec(view.refusal) ?? []
  return quota === undefined
    ? { code: "PodsRefused", message: `the cluster does not let its pods in: ${view.refusal}` }
    : { code: "QuotaExceeded", message: `the project's limits leave no room for it: ${quota}` }
}

const deadlineReason = (app: DesiredApp): ObservedReason =>
  app.healthPath === null
    ? { code: "ProgressDeadlineExceeded", message: "it did not become ready in time" }
    : { code: "HealthCheckFailed", message: `${app.healthPath} did not answer with success in time` }

interface Judgement {
  readonly phase: ObservedApp["phase"]
  readonly reason: ObservedReason | null
  readonly failing: FailingPod | null
  readonly isTicking: boolean
}

const judge = (app: DesiredApp, processes: ReadonlyArray<ProcessView>, isWhole: boolean): Judgement => {
  const quiet = { reason: null, failing: null, isTicking: false }
  if (isWhole && processes.every(isAvailable)) return { phase: "available", ...quiet }
  const lagging = processes.filter((process) => !isAvailable(process))
  const withProblem =
    lagging.find(({ problem }) => problem?.isFinal === true) ??
    lagging.find(({ problem }) => problem !== null)
  const late = lagging.find(isOutOfTime)
  const refusal = lagging.map(refusalReason).find((each) => each !== undefined)
  const reason = withProblem?.problem?.reason ?? refusal ?? (late === undefined ? null : deadlineReason(app))
  const failing = withProblem?.failing ?? null
  const isFinal = withProblem?.problem?.isFinal === true || late !== undefined
  const isDegraded = isWhole && lagging.length > 0 && lagging.every(wasComplete)
  if (isDegraded) return { phase: "degraded", reason, failing, isTicking: false }
  return {
    phase: isFinal ? "failed" : "progressing",
    reason,
    failing,
    isTicking: !isFinal && (withProblem !== undefined || lagging.some(hasUnready))
  }
}

/** The attempt on this very deploy did not end well, whatever its pods do. */
const withOutcome = (judged: Judgement, outcome: Blocked): Judgement => {
  const reason = { code: outcome.code, message: outcome.message }
  return outcome._tag === "Refused"
    ? { phase: "failed", reason, failing: null, isTicking: false }
    : { ...judged, reason: judged.reason ?? reason }
}

const ofProcess = ({ name, readyReplicas, updatedReplicas, view }: ProcessView): ObservedProcess => ({
  name,
  desiredReplicas: view.wantedReplicas,
  readyReplicas,
  updatedReplicas
})

/**
 * @param app says which processes the deploy of its ordinal has; nothing of it is reported as seen
 * @param objects of the app's namespace
 * @param outcome of the last attempt on the app
 * @returns `null` while nothing is there to be said: no object, and no attempt that ended
 */
export const observedStatus = (
  app: DesiredApp,
  objects: ReadonlyArray<ObservedObject>,
  outcome: AppOutcome | undefined,
  limits: StatusLimits
): Seen | null => {
  if (app.serviceType === "cron") return scheduledStatus(app, objects, outcome)
  const deployments = objects.filter(
    (object) =>
      object.kind === "Deployment" && !object.deleting && object.annotations[appIdAnnotation] === app.appId
  )
  const ordinal = Math.max(-1, ...deployments.map(ordinalOf))
  const isBlocked = outcome !== undefined && (outcome._tag === "Refused" || outcome._tag === "Retrying")
  if (isBlocked && ordinal < outcome.ordinal) return ofAttempt(outcome)
  const [first] = deployments.filter((deployment) => ordinalOf(deployment) === ordinal)
  if (first === undefined) return null

  const problemLimits = { ...limits, healthPath: app.healthPath, startupSeconds: app.startupSeconds }
  const processes = deployments
    .filter((deployment) => ordinalOf(deployment) === ordinal)
    .flatMap((deployment) => Option.toArray(processView(app, deployment, objects, problemLimits)))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const named = new Set<string>(processes.map(({ name }) => name))
  const isWhole = app.ordinal === ordinal && app.processes.every(({ name }) => named.has(name))
  const isSettled = outcome?._tag === "Applied" && outcome.ordinal === ordinal
  const judged = judge(app, processes, isWhole && (isSettled || outcome === undefined))
  const judgement = isBlocked ? withOutcome(judged, outcome) : judged
  return {
    status: {
      appId: app.appId,
      ...deployOf(first),
      ordinal,
      phase: judgement.phase,
      processes: processes.map(ofProcess),
      reason: judgement.reason,
      output: []
    },
    failing: judgement.failing,
    isTicking: judgement.isTicking
  }
}
