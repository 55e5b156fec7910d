import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as fc from "fast-check"
import * as Revision from "@starform/domain/ids/Revision"
import { Slug } from "@starform/domain/ids/Slug"
import type { DesiredEntry } from "@starform/starbase/desired/DesiredEntry"
import * as Decisions from "@starform/starbase/entities/cluster/ClusterDecisions"
import * as ClusterModel from "@starform/starbase/entities/cluster/ClusterModel"
import * as Cluster from "@starform/starbase/entities/cluster/ClusterState"
import { answer, type DesiredAnswer, isUnheardOf } from "@starform/starbase/entities/cluster/DesiredAnswer"
import type { Decision } from "@starform/starbase/journal/JournaledEntity"
import { left, pageSizes, rebuilt } from "../RebuiltRows.ts"
import * as Specimens from "../Specimens.ts"

const registration: Cluster.Registration = {
  clusterId: Specimens.clusterId(1),
  name: Slug.make("local"),
  region: "here",
  agentTokenHash: "a".repeat(64)
}

const apps = 4
const app = fc.nat({ max: apps - 1 })
const ordinal = fc.integer({ min: 1, max: 12 })
const phases = ["progressing", "available", "failed", "absent"] as const

const seen = fc.record({ app, phase: fc.constantFrom(...phases), isLate: fc.boolean() })

const renewals = fc.nat({ max: 0xffff }).map((n) => n.toString(16).padStart(8, "e"))

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("put" as const), app, ordinal, tier: fc.nat({ max: 1 }) })
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("remove" as const), app, ordinal }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("report" as const), apps: fc.array(seen, { maxLength: 5 }) })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("confirm" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("renew" as const), epoch: renewals }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("confirmEpoch" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("pull" as const),
      isForeign: fc.boolean(),
      beyond: fc.integer({ min: -2, max: 2 }),
      epoch: renewals
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("register" as const), token: fc.nat({ max: 2 }) }) }
)
type Step = typeof step extends fc.Arbitrary<infer A> ? A : never

const reportOf = (state: Cluster.ClusterState, step: Extract<Step, { kind: "report" }>) => ({
  revision: null,
  complete: false,
  agentVersion: "test",
  apps: step.apps.map(({ app, phase, isLate }) => {
    const appId = Specimens.appId(app)
    const present = state.entries[appId]?.entry.ordinal ?? state.tombstones[appId]?.ordinal ?? 1
    return Specimens.observed({ appId, ordinal: isLate ? present - 1 : present }, phase)
  })
})

/** What the agent says that it holds, so far from what the cluster is at. */
const knownIn = (state: Cluster.ClusterState, step: Extract<Step, { kind: "pull" }>) =>
  Revision.format({
    epoch: step.isForeign ? "ffffffff" : state.epoch,
    n: Math.max(0, state.n + step.beyond)
  })

type Outcome = Result.Result<Decision<Cluster.ClusterState, Cluster.ClusterEvent, void>, unknown>

const decide = (state: Cluster.ClusterState, step: Step): Outcome => {
  switch (step.kind) {
    case "put":
      return Decisions.putDesired(state, {
        entry: Specimens.desiredEntry(step.app, step.ordinal, {
          tier: step.tier === 0 ? "nova" : "supernova"
        })
      })
    case "remove":
      return Decisions.removeDesired(state, { appId: Specimens.appId(step.app), ordinal: step.ordinal })
    case "report":
      return Result.succeed(Decisions.report(state, reportOf(state, step)))
    case "confirm":
      return Result.succeed(Decisions.confirmMassPrune(state))
    case "renew":
      return Decisions.renewEpoch(state, { epoch: step.epoch })
    case "confirmEpoch":
      return Decisions.confirmEpoch(state, { epoch: state.epoch })
    case "pull":
      return Result.succeed(
        Decisions.renewForAgent(
          state,
          {
            agentTokenHash: state.registration?.agentTokenHash ?? "",
            known: knownIn(state, step),
            epoch: step.epoch
          },
          0
        )
      )
    case "register":
      return Decisions.register(state, {
        epoch: "0a0b0c0d",
        registration: { ...registration, agentTokenHash: String(step.token).repeat(64) }
      })
  }
}

interface Moment {
  readonly step: Step
  readonly before: Cluster.ClusterState
  readonly after: Cluster.ClusterState
  readonly events: ReadonlyArray<Cluster.ClusterEvent>
  readonly isRejected: boolean
}

const { events: creation } = Result.getOrThrow(
  Decisions.register(Cluster.initial(), { registration, epoch: "0a0b0c0d" })
)

const registered = creation.reduce(Cluster.evolve, Cluster.initial())

const history = (asked: ReadonlyArray<Step>): ReadonlyArray<Moment> => {
  let state = registered
  return asked.map((step) => {
    const before = state
    const outcome = decide(before, step)
    const events = Result.isSuccess(outcome) ? outcome.success.events : []
    state = events.reduce(Cluster.evolve, before)
    return { step, before, after: state, events, isRejected: Result.isFailure(outcome) }
  })
}

const always = (law: (moments: ReadonlyArray<Moment>) => void) =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (asked) => law(history(asked))),
    { numRuns: 150 }
  )

const atEach = (law: (moment: Moment) => void) => always((moments) => moments.forEach(law))

type Document = Extract<DesiredAnswer, { readonly _tag: "Full" }>

const whole = (state: Cluster.ClusterState): Document => {
  const full = answer(state, null, true)
  if (full._tag !== "Full") throw new Error(`asked for the whole, got ${full._tag}`)
  return full
}

/** What an agent makes of a delta: changed entries replace theirs, tombstoned apps leave. */
const applied = (base: Document, delta: Extract<DesiredAnswer, { readonly _tag: "Delta" }>) => {
  const entries = new Map<string, DesiredEntry>(base.entries.map((entry) => [entry.appId, entry]))
  for (const { appId } of delta.tombstones) entries.delete(appId)
  for (const entry of delta.entries) if (delta.changed.includes(entry.appId)) entries.set(entry.appId, entry)
  return [...entries.values()].sort((a, b) => (a.appId < b.appId ? -1 : 1))
}

describe("every sequence of messages", () => {
  it("INV-CLU-1 grows the number by one for each change of the document in its epoch, and by nothing else", () => {
    atEach(({ before, events }) => {
      let state = before
      for (const event of events) {
        const next = Cluster.evolve(state, event)
        if (event._tag === "EpochRenewed") {
          assert.strictEqual(next.n, state.n)
          state = next
          continue
        }
        const { revision: _, ...was } = whole(state)
        const { revision: __, ...is } = whole(next)
        const isChange = JSON.stringify(was) !== JSON.stringify(is)
        assert.strictEqual(next.n, state.n + (isChange ? 1 : 0), event._tag)
        state = next
      }
    })
  })

  it("INV-CLU-2 refuses a write below the highest ordinal that was taken, for ever", () => {
    always((moments) => {
      const highest = new Map<number, number>()
      for (const { step, isRejected, before, after } of moments) {
        if (step.kind !== "put" && step.kind !== "remove") continue
        const taken = highest.get(step.app) ?? 0
        assert.strictEqual(isRejected, step.ordinal < taken)
        if (isRejected) assert.strictEqual(after, before)
        else highest.set(step.app, step.ordinal)
      }
    })
  })

  it("INV-CLU-3 has no app both as an entry and as a tombstone", () => {
    atEach(({ after }) => {
      const both = Object.keys(after.entries).filter((appId) => appId in after.tombstones)
      assert.deepStrictEqual(both, [])
    })
  })

  it("INV-CLU-4 gives by a delta from any base what the whole document gives", () => {
    always((moments) => {
      const last = moments.at(-1)?.after ?? registered
      for (const base of [registered, ...moments.map(({ after }) => after)]) {
        const known = Cluster.revisionOf(base)
        const given = answer(last, known, true)
        assert.strictEqual(given.revision, Cluster.revisionOf(last))
        if (given._tag !== "Delta") continue
        assert.strictEqual(given.base, known)
        assert.deepStrictEqual(applied(whole(base), given), whole(last).entries)
        assert.deepStrictEqual(given.tombstones, whole(last).tombstones)
      }
    })
  })

  it("INV-CLU-4 gives a delta from the revision before, unless a tombstone was cleared since", () => {
    atEach(({ before, after, events }) => {
      if (
        after.n === before.n ||
        after.epoch !== before.epoch ||
        events.some(({ _tag }) => _tag === "TombstoneCleared")
      )
        return
      assert.strictEqual(answer(after, Cluster.revisionOf(before), true)._tag, "Delta")
    })
  })

  it("keeps a tombstone until its absence is reported, or the app is desired again", () => {
    atEach(({ step, before, after }) => {
      for (const tombstone of Object.values(before.tombstones)) {
        if (tombstone.appId in after.tombstones) continue
        const isBack = tombstone.appId in after.entries
        const isReported =
          step.kind === "report" &&
          reportOf(before, step).apps.some(
            ({ appId, phase, ordinal }) =>
              appId === tombstone.appId && phase === "absent" && ordinal === tombstone.ordinal
          )
        assert.isTrue(isBack || isReported)
      }
      for (const appId of Object.keys(before.entries)) {
        assert.isTrue(appId in after.entries || appId in after.tombstones)
      }
    })
  })

  it("allows a mass prune of the tombstones that an operator has seen, and of no later one", () => {
    always((moments) => {
      let confirmed: ReadonlyArray<string> = []
      for (const { step, before, after } of moments) {
        const keys = Object.values(after.tombstones).map(({ appId, n }) => `${appId}@${n}`)
        if (step.kind === "confirm") {
          confirmed = keys
          if (keys.length > 0) assert.isTrue(whole(after).massPruneConfirmed)
        }
        if (whole(after).massPruneConfirmed) {
          assert.isTrue(keys.every((key) => confirmed.includes(key)))
        }
        if (step.kind === "confirm" && !whole(before).massPruneConfirmed && keys.length > 0) {
          assert.isAbove(after.n, before.n)
        }
      }
    })
  })

  it("INV-CLU-8 has a new epoch unconfirmed, with every entry and tombstone, until an operator confirms it", () => {
    always((moments) => {
      const given = new Set([registered.epoch])
      for (const { step, before, after } of moments) {
        if (after.epoch !== before.epoch) {
          assert.isFalse(given.has(after.epoch), "an epoch is given once")
          assert.isFalse(after.epochConfirmed)
          assert.deepStrictEqual(after.entries, before.entries)
          assert.deepStrictEqual(after.tombstones, before.tombstones)
          assert.isFalse(whole(after).massPruneConfirmed, "nobody has looked at these tombstones yet")
          given.add(after.epoch)
        } else if (after.epochConfirmed !== before.epochConfirmed) {
          assert.strictEqual(step.kind, "confirmEpoch")
          assert.isAbove(after.n, before.n)
        }
        assert.strictEqual(whole(after).epochConfirmed, after.epochConfirmed)
      }
    })
  })

  it("INV-CLU-8 renews for an agent that holds what was never given, and not again before a confirmation", () => {
    atEach(({ step, before, after }) => {
      if (step.kind !== "pull") return
      const isStrange = step.isForeign || step.beyond > 0
      const isNew = !before.pastEpochs.includes(step.epoch) && step.epoch !== before.epoch
      assert.strictEqual(after.epoch !== before.epoch, before.epochConfirmed && isStrange && isNew)
      if (!before.epochConfirmed) assert.strictEqual(after, before)
    })
  })

  it("INV-CLU-8 answers what was given before a renewal with the whole, and renews for it no more", () => {
    always((moments) => {
      const last = moments.at(-1)?.after ?? registered
      for (const { after } of moments) {
        if (after.epoch === last.epoch) continue
        const known = Cluster.revisionOf(after)
        assert.strictEqual(answer(last, known, true)._tag, "Full")
        assert.isFalse(isUnheardOf(last, known))
      }
    })
  })

  it("changes nothing when the same message comes twice in a row", () => {
    atEach(({ step, after }) => {
      if (step.kind === "report") return
      const again = decide(after, step)
      assert.deepStrictEqual(Result.isSuccess(again) ? again.success.events : [], [])
    })
  })

  it("is replayed from its stored events", () => {
    always((moments) => {
      const codec = Schema.Array(Cluster.ClusterEvent)
      const events = moments.flatMap((moment) => moment.events)
      const stored = Schema.decodeUnknownSync(codec)(
        JSON.parse(JSON.stringify(Schema.encodeSync(codec)(events)))
      )
      assert.deepStrictEqual(stored.reduce(Cluster.evolve, registered), moments.at(-1)?.after ?? registered)
    })
  })

  it("INV-JRN-8 leaves the rows that a rebuild makes of it", () => {
    always((moments) => {
      const appends = [creation, ...moments.map(({ events }) => events)]
      for (const size of pageSizes) {
        assert.deepStrictEqual(
          rebuilt(ClusterModel.model, registration.clusterId, appends, size),
          left(ClusterModel.model, registration.clusterId, appends)
        )
      }
    })
  })
})

describe("confirmEpoch", () => {
  it("refuses an epoch that is not the present one, and says which is", () => {
    const outcome = Decisions.confirmEpoch(registered, { epoch: "ffffffff" })
    assert.deepInclude(Result.getOrThrow(Result.flip(outcome)), {
      _tag: "InvalidInput",
      problem: "the cluster's is 0a0b0c0d now"
    })
  })
})

describe("answer", () => {
  const put = (state: Cluster.ClusterState, n: number, ordinal: number) =>
    Result.getOrThrow(
      Decisions.putDesired(state, { entry: Specimens.desiredEntry(n, ordinal) })
    ).events.reduce(Cluster.evolve, state)

  it("gives the whole across epochs, to a base that is ahead, and to whoever wants no delta", () => {
    const state = put(put(registered, 1, 1), 2, 1)
    const base = Cluster.revisionOf(put(registered, 1, 1))
    assert.strictEqual(answer(state, base, true)._tag, "Delta")
    assert.strictEqual(answer(state, base, false)._tag, "Full")
    const { n } = Revision.parse(base)
    for (const known of [
      { epoch: "ffffffff", n },
      { epoch: state.epoch, n: state.n + 1 }
    ]) {
      assert.strictEqual(answer(state, Revision.format(known), true)._tag, "Full")
    }
    assert.strictEqual(answer(state, Cluster.revisionOf(state), true)._tag, "Unchanged")
  })
})
