/** The whole answer to why an app is not live: verdict, headline, journey, findings. Pure. */
import type { DeployPhase } from "@starform/domain/model/Deploy"
import type { Explanation, JourneyStep, StepName, Verdict } from "@starform/domain/protocol/Explanation"
import { activeDeploy, type AppFacts, type Audience, phaseSinceMs, span } from "./AppFacts.ts"
import { findings, isHeld, told } from "./AppFindings.ts"
import { isDesired, isObserved, isPulled } from "./ClusterFindings.ts"
import type { Found } from "./Found.ts"

const verdictOf = (facts: AppFacts, found: ReadonlyArray<Found>): Verdict => {
  const { deploy, live, observed, copies } = facts
  if (deploy === null) return "empty"
  if (activeDeploy(facts) !== null) return isHeld(facts, found) ? "stuck" : "underway"
  if (deploy.phase === "failed" || live === null) return "failed"
  if (copies === 0) return "idle"
  const isOfLive = observed !== null && observed.ordinal >= live.ordinal
  return isOfLive && observed.phase !== "available" ? "degraded" : "live"
}

const doing: Partial<Readonly<Record<DeployPhase, string>>> = {
  pending: "about to begin",
  building: "building",
  built: "built",
  deploying: "rolling out"
}

const headlineOf = (facts: AppFacts, verdict: Verdict, first: string | undefined): string => {
  const { deploy, live } = facts
  const release = live?.release == null ? "A release" : `Release ${live.release}`
  const where =
    deploy === null
      ? ""
      : `${doing[deploy.phase] ?? deploy.phase} for ${span(facts.nowMs - phaseSinceMs(facts))}`
  switch (verdict) {
    case "empty":
      return "Nothing was deployed yet."
    case "live":
      return `${release} is live.`
    case "idle":
      return `${release} is live with no copies.`
    case "degraded":
      return `${release} is live, but not as it should be.`
    case "underway":
      return `The newest deploy is ${where}, as it should.`
    case "stuck":
      return `The newest deploy is ${where}, and something holds it.`
    case "failed":
      return first ?? "The newest deploy did not go live."
  }
}

interface Reached {
  readonly step: StepName
  readonly reached: boolean
  readonly atMs: number | null
  readonly note: string
}

const buildNote = ({ build }: AppFacts): string => {
  if (build === null) return ""
  if (build.status === "queued") return `place ${build.position ?? "unknown"} in the queue`
  if (build.status === "running") return build.step ?? ""
  return build.status === "ended" ? "" : `builder: ${build.status}`
}

const stepsOf = (facts: AppFacts): ReadonlyArray<Reached> => {
  const { deploy, observed, cluster } = facts
  if (deploy === null) return []
  const at = (phase: DeployPhase) => deploy.phases.find((entry) => entry.phase === phase)?.atMs ?? null
  const isLive = deploy.phase === "deployed"
  const isRolling = deploy.phase === "deploying"
  const seen = isRolling && isObserved(facts)
  return [
    { step: "accepted", reached: true, atMs: deploy.requestedAtMs, note: deploy.kind },
    { step: "building", reached: at("built") !== null, atMs: at("building"), note: buildNote(facts) },
    { step: "built", reached: at("deploying") !== null, atMs: at("built"), note: "" },
    { step: "desired", reached: isLive || (isRolling && isDesired(facts)), atMs: at("deploying"), note: "" },
    {
      step: "pulled",
      reached: isLive || seen || (isRolling && isDesired(facts) && isPulled(facts) === true),
      atMs: null,
      note: cluster.name === null ? "" : `cluster ${cluster.name}`
    },
    {
      step: "observed",
      reached: isLive || (seen && observed?.phase === "available"),
      atMs: seen ? (observed?.sinceMs ?? null) : null,
      note: seen ? (observed?.reason?.code ?? observed?.phase ?? "") : ""
    },
    { step: "live", reached: isLive, atMs: at("deployed"), note: "" }
  ]
}

/** The first step that is not done is where the deploy is, or where it ended. */
export const journey = (facts: AppFacts): ReadonlyArray<JourneyStep> => {
  const steps = stepsOf(facts)
  const current = steps.findIndex(({ reached, step }) => !reached && !isSkipped(facts, step))
  return steps.map(({ step, atMs, note }, index) => {
    if (isSkipped(facts, step)) return { step, state: "skipped", atMs: null, note: "" }
    if (current === -1 || index < current) return { step, state: "done", atMs, note }
    if (index > current) return { step, state: "ahead", atMs: null, note: "" }
    return { step, state: activeDeploy(facts) === null ? "stopped" : "now", atMs, note }
  })
}

const isSkipped = ({ deploy }: AppFacts, step: StepName): boolean =>
  step === "building" && deploy?.kind !== "push"

export const explain = (facts: AppFacts, audience: Audience): Explanation => {
  const found = findings(facts)
  const verdict = verdictOf(facts, found)
  const lines = told(found, audience)
  return {
    appId: facts.appId,
    atMs: facts.nowMs,
    verdict,
    headline: headlineOf(facts, verdict, lines[0]?.line),
    journey: journey(facts),
    findings: lines
  }
}
