/** Findings about the actors themselves: an owner that is away, a mailbox that is full, a turn that does not end. Pure. */
import type { EntityActivity } from "@starform/domain/protocol/OperatorRpcs"
import { type AppFacts, span } from "./AppFacts.ts"
import { type Found, slowMs } from "./Found.ts"

/** Errors of the App that still say something. */
const recentMs = 300_000

/** These park by design, and say nothing about how busy an entity is. */
const parked = new Set(["AwaitDeploy", "AwaitDesired"])

/** Rejections are their callers' business; these are ours. */
const ours = new Set(["InternalFault", "Unavailable", "Defect", "Failure"])

const placeOf = ({ shardGroup, shard, owner }: EntityActivity): string =>
  `shard ${shardGroup}:${shard}, ${owner === null ? "which nobody holds" : `last held by ${owner}`}`

const comeBack = "Nothing is lost. Look again in a minute."

/** @param what as a person calls it */
export const awayFinding = (code: string, activity: EntityActivity, what: string): Found => ({
  code,
  blame: "starform",
  holds: true,
  sinceMs: null,
  operator: {
    line: `the ${activity.type} entity does not answer: ${placeOf(activity)}`,
    next: `See GET /operator/runners for ${activity.owner ?? "a healthy runner"}: a runner that is gone is replaced within seconds, one that hangs is not`
  },
  person: { line: `The part of Starform that looks after ${what} does not answer.`, next: comeBack }
})

export const overloadedFinding = (code: string, activity: EntityActivity, what: string): Found => ({
  code,
  blame: "starform",
  holds: true,
  sinceMs: null,
  operator: {
    line: `the mailbox of the ${activity.type} entity is full: ${placeOf(activity)}`,
    next: "Find who asks so much: the requests in its activity, and the access log"
  },
  person: { line: `More is asked of ${what} than Starform can answer at once.`, next: comeBack }
})

const slowFinding = (activity: EntityActivity): ReadonlyArray<Found> => {
  const { incarnation } = activity
  if (incarnation === null) return []
  const stuck = incarnation.inFlight.find(({ tag, ageMs }) => !parked.has(tag) && ageMs > slowMs)
  const waitedMs = incarnation.waitingOldestMs ?? 0
  if (stuck === undefined && waitedMs <= slowMs) return []
  const works = stuck === undefined ? "" : `; ${stuck.tag} runs for ${span(stuck.ageMs)}`
  return [
    {
      code: "AppSlow",
      blame: "starform",
      holds: true,
      sinceMs: null,
      operator: {
        line: `the App works slowly: ${incarnation.waiting} wait, the oldest for ${span(waitedMs)}${works}`,
        next: "Look at the database first: a turn ends with its append"
      },
      person: { line: "Starform is slow to work on this app.", next: comeBack }
    }
  ]
}

const errorFinding = ({ activity, nowMs }: AppFacts): ReadonlyArray<Found> => {
  const error = activity.incarnation?.errors.find(
    ({ error, atMs }) => ours.has(error) && nowMs - atMs < recentMs
  )
  if (error === undefined) return []
  const isBroken = error.error === "InternalFault" || error.error === "Defect"
  return [
    {
      code: "AppErrors",
      blame: "starform",
      holds: isBroken,
      sinceMs: error.atMs,
      operator: {
        line: `the App answered ${error.error} to ${error.tag} ${span(nowMs - error.atMs)} ago: ${error.line}`,
        next: "The log of its owner has the cause"
      },
      person: isBroken
        ? { line: "Something broke on our side at work on this app.", next: "Tell support; nothing is lost." }
        : null
    }
  ]
}

export const coreFindings = (facts: AppFacts): ReadonlyArray<Found> => {
  const { activity } = facts
  if (activity.status === "away") return [awayFinding("OwnerAway", activity, "this app")]
  if (activity.status === "overloaded") return [overloadedFinding("AppOverloaded", activity, "this app")]
  return [...slowFinding(activity), ...errorFinding(facts)]
}
