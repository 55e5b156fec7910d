/**
 * The promises of the actor core, written once. Fault tests and the simulation gather `Evidence` and assert that nothing
 * here is violated. The ids are listed in the README of starbase.
 */
import { isDeepStrictEqual } from "node:util"
import * as Revision from "@starform/domain/ids/Revision"
import { isTerminal } from "@starform/domain/model/Deploy"
import type { EntityKey, StoredEvent } from "@starform/starbase/journal/Journal"
import type { Evidence } from "./Evidence.ts"

export interface Violation {
  readonly invariant: keyof typeof invariants
  readonly what: string
}

type Check = (evidence: Evidence) => ReadonlyArray<string>

const nameOf = ({ type, id }: EntityKey) => `${type} ${id}`

const keyOf = (entity: EntityKey, requestId: string) => JSON.stringify([entity.type, entity.id, requestId])

const groupBy = <A>(items: ReadonlyArray<A>, key: (item: A) => string): ReadonlyMap<string, Array<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group === undefined) groups.set(key(item), [item])
    else group.push(item)
  }
  return groups
}

const eventsByRequest = ({ journals }: Evidence) =>
  groupBy(
    journals.flatMap(({ entity, events }) => events.map((event) => ({ entity, event }))),
    ({ entity, event }) => keyOf(entity, event.requestId)
  )

/** What was acknowledged is kept with its reply, and the journal reaches as far as it says. */
const nothingAcknowledgedIsLost: Check = (evidence) => {
  const kept = new Map(evidence.requests.map((row) => [keyOf(row.entity, row.requestId), row]))
  const journals = new Map(evidence.journals.map(({ entity, events }) => [nameOf(entity), events]))
  const written = eventsByRequest(evidence)
  return evidence.acknowledged.flatMap(({ entity, requestId, appends }) => {
    const what = `${nameOf(entity)}: ${requestId}`
    const row = kept.get(keyOf(entity, requestId))
    if (row === undefined) return [`${what} was acknowledged, and no request of that id is kept`]
    const newest = journals.get(nameOf(entity))?.at(-1)?.sequence ?? 0
    if (newest < row.sequence)
      return [`${what} took effect at ${row.sequence}, the journal ends at ${newest}`]
    const events = written.get(keyOf(entity, requestId))?.length ?? 0
    return appends === undefined || events >= appends
      ? []
      : [`${what} should have appended ${appends} events, and the journal has ${events} of it`]
  })
}

/** Whatever one request wrote is one append: unbroken, of one instant, and ending where the kept request says. */
const areOneAppend = (events: ReadonlyArray<StoredEvent>) =>
  events.every(
    ({ sequence, atMs }, index) => sequence === events[0]!.sequence + index && atMs === events[0]!.atMs
  )

const aRequestTakesEffectOnce: Check = (evidence) => {
  const kept = new Map(evidence.requests.map((row) => [keyOf(row.entity, row.requestId), row]))
  const written = eventsByRequest(evidence)
  const doubled = [...written].flatMap(([key, group]) => {
    const events = group.map(({ event }) => event)
    const at = `${key} wrote ${events.map(({ sequence }) => sequence).join(", ")}`
    if (!areOneAppend(events)) return [`${at}: more than one append`]
    const row = kept.get(key)
    return row === undefined || row.sequence === events.at(-1)!.sequence
      ? []
      : [`${at}, and its reply is kept for ${row.sequence}`]
  })
  const tooMany = evidence.acknowledged.flatMap(({ entity, requestId, appends }) => {
    const events = written.get(keyOf(entity, requestId))?.length ?? 0
    return appends === undefined || events <= appends
      ? []
      : [`${nameOf(entity)}: ${requestId} appends ${appends} events, and the journal has ${events} of it`]
  })
  const answers = groupBy(evidence.acknowledged, ({ entity, requestId }) => keyOf(entity, requestId))
  const differing = [...answers].flatMap(([key, group]) =>
    group.every(({ reply }) => isDeepStrictEqual(reply, group[0]!.reply))
      ? []
      : [`${key} was answered in more than one way`]
  )
  return [...doubled, ...tooMany, ...differing]
}

const hasNoGap: Check = ({ journals }) =>
  journals.flatMap(({ entity, events }) => {
    const at = events.findIndex(({ sequence }, index) => sequence !== index + 1)
    return at < 0 ? [] : [`${nameOf(entity)}: ${events[at]!.sequence} stands where ${at + 1} should`]
  })

/** Numbers that a decision takes from the state before it; a decision on stale memory repeats or lowers one. */
const decidedOn = (event: unknown): number | undefined => {
  if (typeof event !== "object" || event === null || !("_tag" in event)) return undefined
  if (event._tag === "EntryPut" && "n" in event) return Number(event.n)
  if (event._tag === "EntryRemoved" && "tombstone" in event) return (event.tombstone as { n: number }).n
  if (event._tag === "DeployRequested" && "ordinal" in event) return Number(event.ordinal)
  return undefined
}

const isDecidedOnTheNewest: Check = ({ journals }) =>
  journals.flatMap(({ entity, events }) => {
    let highest = Number.NEGATIVE_INFINITY
    return events.flatMap(({ sequence, event }) => {
      const number = decidedOn(event)
      if (number === undefined) return []
      const isStale = number <= highest
      highest = Math.max(highest, number)
      return isStale ? [`${nameOf(entity)}: event ${sequence} was decided on stale memory`] : []
    })
  })

/** Every append follows the newest event, by an incarnation that knew it; a fenced one reads before it writes. */
const nobodyAppendsAfterAFence: Check = ({ steps }) => {
  const known = new Map<string, number | undefined>()
  const newest = new Map<string, number>()
  return steps.flatMap((step) => {
    const entity = nameOf(step.entity)
    const key = JSON.stringify([step.writer, entity])
    if (step.kind === "fenced") {
      known.delete(key)
      return []
    }
    const before = known.get(key)
    known.set(key, step.sequence)
    if (step.kind === "loaded") return []
    const end = newest.get(entity) ?? 0
    newest.set(entity, step.sequence)
    return before === end ? [] : [`${entity}: ${step.writer} knew ${before}, and appended after ${end}`]
  })
}

const revisionsGrow: Check = ({ revisions }) =>
  revisions.flatMap(({ cluster, observer, revisions: seen }) => {
    const left = new Set<string>()
    return seen.flatMap((revision, index) => {
      const before = seen[index - 1]
      const { epoch, n } = Revision.parse(revision)
      if (before === undefined) return []
      const last = Revision.parse(before)
      if (epoch !== last.epoch) left.add(last.epoch)
      const fell = epoch === last.epoch ? n < last.n : left.has(epoch)
      return fell ? [`${cluster}: ${observer} was told ${revision} after ${before}`] : []
    })
  })

const everyPushEnds: Check = ({ atMs, pushes }) =>
  pushes.flatMap(({ deployId, acceptedAtMs, deadlineMs, phase, sinceMs }) => {
    const until = acceptedAtMs + deadlineMs
    if (isTerminal(phase)) {
      return sinceMs <= until ? [] : [`${deployId} was ${phase} ${sinceMs - until} ms after its deadlines`]
    }
    return atMs <= until ? [] : [`${deployId} is ${phase}, ${atMs - until} ms after its deadlines`]
  })

const desiredIsObserved: Check = ({ rest }) =>
  rest.flatMap(({ appId, desired, entry, observed }) => {
    const told = (what: string) => [`${appId}: ${what}: ${JSON.stringify({ desired, entry, observed })}`]
    if (desired?.ordinal !== entry?.ordinal || desired?.releaseId !== entry?.releaseId) {
      return told("its cluster holds something else than it decided")
    }
    if (desired === null) {
      return observed === null || observed.phase === "absent" ? [] : told("runs, and should not")
    }
    const isSo =
      observed !== null &&
      observed.phase === "available" &&
      observed.ordinal === desired.ordinal &&
      observed.releaseId === desired.releaseId
    return isSo ? [] : told("is not what was observed")
  })

const nobodyElseWaits: Check = ({ bystanders }) =>
  bystanders.flatMap(({ tenant, what, fault, judged }) => {
    if ("endedInFault" in judged) {
      return judged.endedInFault ? [] : [`${tenant}: ${what} did not end while it lasted that ${fault}`]
    }
    const { tookMs, limitMs } = judged
    return tookMs <= limitMs
      ? []
      : [`${tenant}: ${what} took ${tookMs} ms, and ${limitMs} at most without it that ${fault}`]
  })

/** Every id with what it promises; a check answers what is violated, in words. */
export const invariants = {
  "INV-ACT-1": nothingAcknowledgedIsLost,
  "INV-ACT-2": aRequestTakesEffectOnce,
  "INV-ACT-3": (evidence: Evidence) => [
    ...hasNoGap(evidence),
    ...isDecidedOnTheNewest(evidence),
    ...nobodyAppendsAfterAFence(evidence)
  ],
  "INV-ACT-4": revisionsGrow,
  "INV-ACT-5": everyPushEnds,
  "INV-ACT-6": desiredIsObserved,
  "INV-ACT-7": nobodyElseWaits
} as const satisfies Record<string, Check>

/** Everything that the evidence violates. */
export const violations = (evidence: Evidence): ReadonlyArray<Violation> =>
  Object.entries(invariants).flatMap(([id, check]) =>
    check(evidence).map((what) => ({ invariant: id as keyof typeof invariants, what }))
  )
