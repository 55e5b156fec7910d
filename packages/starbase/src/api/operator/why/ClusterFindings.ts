/** Findings about the cluster's side: what it was told, whether its agent asks, what it saw of the app. Pure. */
import * as Revision from "@starform/domain/ids/Revision"
import { activeDeploy, type AppFacts, phaseSinceMs, span } from "./AppFacts.ts"
import { awayFinding, overloadedFinding } from "./CoreFindings.ts"
import { outboxFindings } from "./DeployFindings.ts"
import { type Found, slowMs } from "./Found.ts"

/** An agent reports at least every 30 s: after three that did not come it is away. */
export const agentSilentMs = 90_000

const clusterName = ({ cluster }: AppFacts): string => cluster.name ?? cluster.id

const isRollingOut = (facts: AppFacts): boolean => activeDeploy(facts)?.phase === "deploying"

/** The ordinal that is to be live: of a rollout its own, else of what is live. */
const wantedOrdinal = (facts: AppFacts): number | null =>
  isRollingOut(facts) ? (facts.deploy?.ordinal ?? null) : (facts.live?.ordinal ?? null)

/** Whether the cluster holds the entry that is to be live. */
export const isDesired = (facts: AppFacts): boolean => {
  const wanted = wantedOrdinal(facts)
  return wanted !== null && (facts.cluster.entry?.ordinal ?? -1) >= wanted
}

/** Whether the agent holds the entry; `null` when nobody knows. */
export const isPulled = ({ cluster }: AppFacts): boolean | null => {
  const { agent, entry, revision } = cluster
  if (agent?.revision == null || entry === null || revision === null) return null
  const [held, current] = [Revision.parse(agent.revision), Revision.parse(revision)]
  return held.epoch === current.epoch && held.n >= entry.n
}

export const isObserved = (facts: AppFacts): boolean =>
  facts.observed !== null && facts.observed.ordinal >= (wantedOrdinal(facts) ?? Number.MAX_SAFE_INTEGER)

export const clusterFindings = (facts: AppFacts): ReadonlyArray<Found> => {
  if (!isRollingOut(facts)) return []
  const { cluster, nowMs, deploy } = facts
  const ageMs = nowMs - phaseSinceMs(facts)
  if (cluster.name === null) {
    return [
      {
        code: "ClusterUnregistered",
        blame: "starform",
        holds: true,
        sinceMs: null,
        operator: { line: `the app's cluster ${cluster.id} is not registered`, next: "RegisterCluster" },
        person: { line: "This project's cluster is not set up.", next: "Tell whoever runs it." }
      }
    ]
  }
  const name = `cluster ${clusterName(facts)}`
  const core =
    cluster.activity.status === "away"
      ? [awayFinding("ClusterAway", cluster.activity, name)]
      : cluster.activity.status === "overloaded"
        ? [overloadedFinding("ClusterOverloaded", cluster.activity, name)]
        : []
  if (isDesired(facts)) return [...core, ...outboxFindings(cluster.outbox, nowMs, deploy?.id ?? null)]
  const holds = ageMs > slowMs
  return [
    ...core,
    {
      code: "NotDesired",
      blame: holds ? "starform" : "nobody",
      holds,
      sinceMs: phaseSinceMs(facts),
      operator: {
        line: `${name} was last told ordinal ${cluster.entry?.ordinal ?? "none"}, the deploy is ${deploy?.ordinal}`,
        next: holds ? "The App's outbox row PutDesired carries it: see GET /operator/outbox" : ""
      },
      person: { line: "The cluster has not been told of the release yet.", next: "" }
    }
  ]
}

export const agentFindings = (facts: AppFacts): ReadonlyArray<Found> => {
  const { cluster, nowMs } = facts
  const { agent } = cluster
  if (cluster.name === null || agent === null) return []
  const isWaitedFor = isRollingOut(facts) && isDesired(facts)
  const silentSinceMs = agent.seenAtMs ?? cluster.activity.incarnation?.sinceMs ?? nowMs
  const silentMs = nowMs - silentSinceMs
  const where = `cluster ${clusterName(facts)}`
  const found: Array<Found> = []
  if (silentMs > agentSilentMs) {
    const last = agent.seenAtMs === null ? `not in ${span(silentMs)}` : `last ${span(silentMs)} ago`
    found.push({
      code: "AgentAway",
      blame: "cluster",
      holds: isWaitedFor,
      sinceMs: silentSinceMs,
      operator: {
        line: `the agent of ${where} asked ${last}: nothing is applied there, and nothing new is heard`,
        next: "See that Shuttle runs there and reaches this address with a token that is not refused (its log says)"
      },
      person: {
        line: `The cluster has not been heard of ${agent.seenAtMs === null ? `in ${span(silentMs)}` : `for ${span(silentMs)}`}. What runs there goes on running.`,
        next: "Tell whoever runs the cluster; nothing is lost."
      }
    })
  } else if (isWaitedFor && isPulled(facts) === false) {
    const holds = nowMs - phaseSinceMs(facts) > slowMs
    found.push({
      code: "AgentBehind",
      blame: holds ? "cluster" : "nobody",
      holds,
      sinceMs: phaseSinceMs(facts),
      operator: {
        line: `the agent of ${where} holds ${agent.revision}, the release came with ${cluster.revision?.slice(0, 8)}-${cluster.entry?.n}`,
        next: holds ? "It asks, but does not take the newest document: its log says why" : ""
      },
      person: { line: "The cluster is about to fetch the release.", next: "" }
    })
  }
  if (!cluster.epochConfirmed) {
    found.push({
      code: "EpochUnconfirmed",
      blame: "starform",
      holds: false,
      sinceMs: null,
      operator: {
        line: `the epoch of ${where} waits to be confirmed: nothing is removed there until then`,
        next: "docs/runbooks/restored-database.md, then ConfirmEpoch"
      },
      person: null
    })
  }
  return found
}

const observedWords: Readonly<Record<string, string>> = {
  progressing: "Its copies are starting",
  degraded: "Not all of its copies are ready",
  failed: "Its copies do not become ready",
  absent: "Nothing of it is there"
}

export const observationFindings = (facts: AppFacts): ReadonlyArray<Found> => {
  const { observed, nowMs, live, copies } = facts
  if (live !== null && copies === 0 && !isRollingOut(facts)) {
    const line = "Nobody wants a copy of it: its scale is 0."
    return [
      {
        code: "NoCopies",
        blame: "app",
        holds: false,
        sinceMs: null,
        operator: { line, next: "" },
        person: { line, next: "starform scale web=1 starts one." }
      }
    ]
  }
  if (observed === null || !isObserved(facts) || observed.phase === "available") return []
  const reason = observed.reason === null ? "" : `: ${observed.reason.message} (${observed.reason.code})`
  const line = `${observedWords[observed.phase] ?? observed.phase} for ${span(nowMs - observed.sinceMs)}${reason}.`
  const holds = observed.phase !== "progressing" || observed.reason !== null
  const next = observed.reason === null ? "" : "Fix what is said here and push again, or roll back."
  return [
    {
      code: observed.reason?.code ?? (observed.phase === "progressing" ? "CopiesStarting" : "CopiesDown"),
      blame: holds ? "app" : "nobody",
      holds,
      sinceMs: observed.sinceMs,
      operator: { line, next: holds ? "This is the app's own; its owner is told the same" : "" },
      person: { line, next }
    }
  ]
}

/** A rollout that was fetched and of which nothing was seen yet. */
export const rolloutFindings = (facts: AppFacts): ReadonlyArray<Found> => {
  if (!isRollingOut(facts) || !isDesired(facts) || isObserved(facts) || isPulled(facts) === false) return []
  const ageMs = facts.nowMs - phaseSinceMs(facts)
  const holds = ageMs > agentSilentMs
  return [
    {
      code: "NotSeen",
      blame: holds ? "cluster" : "nobody",
      holds,
      sinceMs: phaseSinceMs(facts),
      operator: {
        line: `the agent has reported nothing on ordinal ${facts.deploy?.ordinal} in ${span(ageMs)}; the rollout fails after ${span(facts.limits.rolloutMs)}`,
        next: holds ? "Its log says what it plans and what the cluster refuses" : ""
      },
      person: {
        line: `The cluster has reported nothing on this release for ${span(ageMs)}.`,
        next: holds ? "Tell whoever runs the cluster." : ""
      }
    }
  ]
}
