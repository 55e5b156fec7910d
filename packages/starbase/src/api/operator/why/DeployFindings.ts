/** Findings about the newest deploy: how it ended, what its events wait to cause, and where a running one is. Pure. */
import type { OutboxBacklog } from "../../../journal/Outbox.ts"
import { activeDeploy, type AppFacts, phaseSinceMs, span } from "./AppFacts.ts"
import { type Found, slowMs } from "./Found.ts"

const ourFault = "Nothing is lost, and it goes on by itself. If it does not within minutes, tell support."

const ended = ({ deploy, live }: AppFacts): ReadonlyArray<Found> => {
  if (deploy === null) {
    const line = "Nothing was ever deployed."
    return [
      {
        code: "NothingDeployed",
        blame: "app",
        holds: false,
        sinceMs: null,
        operator: { line, next: "Wait for a push" },
        person: { line, next: "git push starform main" }
      }
    ]
  }
  const still = live === null ? "Nothing serves." : `Release ${live.release ?? "before"} still serves.`
  const sinceMs = deploy.phases.at(-1)?.atMs ?? null
  if (deploy.phase === "failed" && deploy.failure !== null) {
    const { failure } = deploy
    const isOurs = failure.code === "Abandoned"
    const line = `The newest deploy failed while ${failure.phase}: ${failure.reason} (${failure.code}). ${still}`
    const next = failure.advice === "" ? "Fix what is said here and push again." : failure.advice
    const operator = isOurs ? `Read the journal of ${deploy.id}: nothing should outlive its deadlines` : next
    return [
      {
        code: "DeployFailed",
        blame: isOurs ? "starform" : "app",
        holds: true,
        sinceMs,
        operator: { line, next: operator },
        person: { line, next }
      }
    ]
  }
  if (deploy.phase === "cancelled") {
    const line = `The newest deploy was cancelled. ${still}`
    const next = "Push or restart to deploy again."
    return [
      {
        code: "DeployCancelled",
        blame: "nobody",
        holds: live === null,
        sinceMs,
        operator: { line, next: "The journal names who did it" },
        person: { line, next }
      }
    ]
  }
  return []
}

/** What an entity's events wait to cause: nothing after the first row happens before it does. */
export const outboxFindings = (
  row: OutboxBacklog | null,
  nowMs: number,
  deployId: string | null
): ReadonlyArray<Found> => {
  if (row === null) return []
  const { effect, key, rows, attempts, problem, atMs } = row
  const age = atMs === null ? "" : ` for ${span(nowMs - atMs)}`
  const behind = rows > 1 ? `; ${rows - 1} more wait behind it` : ""
  if (attempts > 0) {
    return [
      {
        code: "EffectFails",
        blame: "starform",
        holds: true,
        sinceMs: atMs,
        operator: {
          line: `${effect} of the ${key.type} waits${age}, ${attempts} attempts failed: ${problem ?? "no problem told"}${behind}`,
          next:
            deployId === null
              ? "It is tried again, at most a minute apart"
              : `It is tried again, at most a minute apart; POST /operator/deploys/${deployId}/retry makes that now`
        },
        person: {
          line: "Starform has trouble with its next step for this app, and tries again.",
          next: ourFault
        }
      }
    ]
  }
  if (atMs === null || nowMs - atMs <= slowMs) return []
  return [
    {
      code: "RelayAway",
      blame: "starform",
      holds: true,
      sinceMs: atMs,
      operator: {
        line: `${effect} of the ${key.type} waits${age} and nobody has tried it${behind}`,
        next: "The relay is a singleton: see GET /operator/runners for a healthy runner, and its log for 'outbox relay'"
      },
      person: { line: "Starform has not begun its next step for this app.", next: ourFault }
    }
  ]
}

export const deployFindings = (facts: AppFacts): ReadonlyArray<Found> => [
  ...ended(facts),
  ...outboxFindings(facts.outbox, facts.nowMs, activeDeploy(facts)?.id ?? null)
]

const workflowFinding = (facts: AppFacts): ReadonlyArray<Found> => {
  const deploy = activeDeploy(facts)
  if (deploy === null || facts.workflow !== "ended") return []
  const { buildMs, rolloutMs, graceMs } = facts.limits
  const endsIn = span(deploy.requestedAtMs + buildMs + rolloutMs + graceMs - facts.nowMs)
  return [
    {
      code: "WorkflowEnded",
      blame: "starform",
      holds: true,
      sinceMs: null,
      operator: {
        line: `the deploy's workflow has ended, the deploy has not; the watch fails it in ${endsIn}`,
        next: `Cancel it: POST /operator/deploys/${deploy.id}/cancel, then have it pushed again`
      },
      person: { line: "Starform lost track of this deploy.", next: "Cancel it and push again." }
    }
  ]
}

const building = (facts: AppFacts, ageMs: number): ReadonlyArray<Found> => {
  const { build, limits } = facts
  const sinceMs = phaseSinceMs(facts)
  const found = (
    code: string,
    holds: boolean,
    words: readonly [operator: string, next: string],
    person: readonly [line: string, next: string]
  ): Found => ({
    code,
    blame: holds ? "builder" : "nobody",
    holds,
    sinceMs,
    operator: { line: words[0], next: words[1] },
    person: { line: person[0], next: person[1] }
  })
  const within = `it fails after ${span(limits.buildMs)}`
  switch (build?.status) {
    case "away":
      return [
        found(
          "BuilderAway",
          true,
          [
            `the builder does not answer; it is asked again every 2 s, and ${within}`,
            "Start the builder, or look at its log"
          ],
          ["The builder does not answer.", ourFault]
        )
      ]
    case "queued": {
      const place = build.position ?? 0
      const ahead = place <= 1 ? "next in the queue" : `number ${place} in the queue`
      return [
        found(
          "BuildQueued",
          false,
          [
            `the build is ${ahead} of its builder for ${span(ageMs)}`,
            "Builds ahead of it: GET /operator/deploys"
          ],
          [`The build is ${ahead}.`, "It begins by itself."]
        )
      ]
    }
    case "unknown":
      return ageMs <= slowMs
        ? []
        : [
            found(
              "BuildForgotten",
              true,
              [
                `the builder knows nothing of this build after ${span(ageMs)}`,
                "Its workflow asks again; retry makes it look now"
              ],
              ["The builder has not taken this build yet.", ourFault]
            )
          ]
    case "ended":
      return ageMs <= slowMs
        ? []
        : [
            found(
              "BuildNotHeard",
              true,
              [
                "the build has ended, and its deploy has not heard of it",
                "Retry has the workflow look again"
              ],
              ["The build has ended; Starform has not taken note of it yet.", ourFault]
            )
          ]
    default:
      return [
        found(
          "Building",
          false,
          [`it builds for ${span(ageMs)}${build?.step == null ? "" : `, step ${build.step}`}; ${within}`, ""],
          [
            `It builds for ${span(ageMs)}${build?.step == null ? "" : ` (${build.step})`}.`,
            "starform logs -f follows it."
          ]
        )
      ]
  }
}

/** Phases that wait for nothing but ourselves. */
const ours = (facts: AppFacts, ageMs: number, phase: string, waitsFor: string): ReadonlyArray<Found> => {
  const holds = ageMs > slowMs
  return [
    {
      code: holds ? "NotBegun" : "Beginning",
      blame: holds ? "starform" : "nobody",
      holds,
      sinceMs: phaseSinceMs(facts),
      operator: {
        line: `the deploy is ${phase} for ${span(ageMs)} and waits for ${waitsFor}`,
        next: holds ? `POST /operator/deploys/${facts.deploy?.id}/retry has its workflow look again` : ""
      },
      person: holds
        ? { line: `Starform has not gone on with this deploy for ${span(ageMs)}.`, next: ourFault }
        : { line: "The deploy begins.", next: "" }
    }
  ]
}

const overdue = (facts: AppFacts, ageMs: number): ReadonlyArray<Found> => {
  const deploy = activeDeploy(facts)
  const { buildMs, rolloutMs } = facts.limits
  const limitMs = deploy?.phase === "building" ? buildMs : deploy?.phase === "deploying" ? rolloutMs : null
  if (deploy === null || limitMs === null || ageMs <= limitMs + slowMs) return []
  return [
    {
      code: "DeadlineMissed",
      blame: "starform",
      holds: true,
      sinceMs: phaseSinceMs(facts) + limitMs,
      operator: {
        line: `${deploy.phase} should have failed ${span(ageMs - limitMs)} ago and has not: nobody keeps the time`,
        next: "See that a runner of the deploy's shard is healthy; retry has the workflow look again"
      },
      person: { line: `This deploy is over its time by ${span(ageMs - limitMs)}.`, next: ourFault }
    }
  ]
}

/** Where a running deploy is, and whether it should be there that long. */
export const phaseFindings = (facts: AppFacts): ReadonlyArray<Found> => {
  const deploy = activeDeploy(facts)
  if (deploy === null) return []
  const ageMs = facts.nowMs - phaseSinceMs(facts)
  const rest = [...workflowFinding(facts), ...overdue(facts, ageMs)]
  switch (deploy.phase) {
    case "pending":
      return [...ours(facts, ageMs, "pending", "its workflow to ask for a build"), ...rest]
    case "building":
      return [...building(facts, ageMs), ...rest]
    case "built":
      return [...ours(facts, ageMs, "built", "its workflow to make the release desired"), ...rest]
    default:
      return rest
  }
}
