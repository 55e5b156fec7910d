import { assert, describe, it } from "@effect/vitest"
import type { DesiredState } from "@starform/domain/desired/DesiredState"
import { accept, type DocumentRejected, type HeldDocument } from "@starform/shuttle/starbase/DesiredDocument"
import { pruneLimit } from "@starform/shuttle/starbase/PruneGate"
import { defaults } from "@starform/shuttle/ShuttleConfig"
import { fromStored, toStored } from "@starform/shuttle/storage/StoredDocument"
import { Result, Schema } from "effect"
import { ClusterId } from "@starform/domain/ids/Ids"
import { clusterId, deltaBetween, desiredApp, fullState, tombstoneOf } from "../fixtures/DesiredApps.ts"

const taken = (held: HeldDocument | null, incoming: DesiredState): HeldDocument =>
  Result.getOrThrow(accept(held, incoming, clusterId, defaults))

const refused = (
  held: HeldDocument | null,
  incoming: DesiredState
): DocumentRejected["problem"] | "accepted" =>
  Result.match(accept(held, incoming, clusterId, defaults), {
    onFailure: (rejected) => rejected.problem,
    onSuccess: () => "accepted" as const
  })

const services = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))).check(
  Schema.isMaxLength(8)
)

const documentOf = (
  n: number,
  numbers: ReadonlyArray<number>,
  gone: ReadonlyArray<number>,
  deploy: number
) => {
  const present = [...new Set(numbers)].filter((service) => !gone.includes(service))
  return fullState({
    n,
    apps: present.map((service) => desiredApp({ service, deploy: service % 2 === 0 ? deploy : 1 })),
    tombstones: [...new Set(gone)].map((service) => tombstoneOf(desiredApp({ service })))
  })
}

describe("accept", () => {
  it.prop(
    "gives the same document by a delta as by the whole",
    [services, services, services],
    ([before, added, gone]) => {
      const from = documentOf(1, before, [], 1)
      const to = documentOf(2, [...before, ...added], gone, 2)
      const held = taken(null, from)
      const byDelta = taken(held, deltaBetween(from, to))
      const byFull = taken(held, to)
      assert.deepStrictEqual([...byDelta.apps.keys()].sort(), [...byFull.apps.keys()].sort())
      for (const [appId, app] of byFull.apps) assert.deepStrictEqual(byDelta.apps.get(appId), app)
      assert.deepStrictEqual({ ...byDelta, apps: null }, { ...byFull, apps: null })
    }
  )

  it.prop(
    "never lowers the number of its epoch (INV-DOC-1)",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 })))],
    ([numbers]) => {
      let held: HeldDocument | null = null
      for (const n of numbers) {
        const before: number = held === null ? -1 : Number(held.revision.slice(9))
        const result = accept(held, fullState({ n }), clusterId, defaults)
        if (Result.isSuccess(result)) held = result.success
        const after = held === null ? -1 : Number(held.revision.slice(9))
        assert.strictEqual(after, Math.max(before, n))
      }
    }
  )

  it("refuses a document whose hash is another one (INV-DOC-2)", () => {
    const document = fullState({ apps: [desiredApp()] })
    assert.strictEqual(refused(null, { ...document, apps: [desiredApp({ deploy: 2 })] }), "HashMismatch")
  })

  it("refuses a delta on another base, and asks for the whole (INV-DOC-2)", () => {
    const [one, two, three] = [1, 2, 3].map((n) => fullState({ n, apps: [desiredApp({ deploy: n })] }))
    const held = taken(null, one!)
    assert.strictEqual(refused(held, deltaBetween(two!, three!)), "UnusableBase")
    assert.strictEqual(refused(null, deltaBetween(one!, two!)), "UnusableBase")
    const rejected = Result.flip(accept(held, deltaBetween(two!, three!), clusterId, defaults))
    assert.isTrue(Result.getOrThrow(rejected).askForFull)
  })

  it("refuses a newer format and another cluster's document (INV-DOC-3)", () => {
    assert.strictEqual(refused(null, { ...fullState(), format: 2 }), "NewerFormat")
    const other = ClusterId.make("c2c2c2c2-0000-4000-8000-000000000002")
    assert.strictEqual(refused(null, { ...fullState(), clusterId: other }), "OtherCluster")
  })

  it("refuses a document that wants and tombstones the same app", () => {
    const app = desiredApp()
    assert.strictEqual(
      refused(null, fullState({ apps: [app], tombstones: [tombstoneOf(app)] })),
      "Contradiction"
    )
  })

  it("holds every tombstone back after a change of epoch until it is confirmed (INV-DOC-4)", () => {
    const app = desiredApp()
    const held = taken(null, fullState({ n: 7, apps: [app] }))
    const restored = {
      epoch: "00000002",
      n: 1,
      tombstones: [tombstoneOf(app)],
      epochConfirmed: false
    }
    const unconfirmed = taken(held, fullState(restored))
    assert.strictEqual(unconfirmed.pruneHold, "EpochUnconfirmed")
    assert.strictEqual(unconfirmed.admitted.size, 0)
    const later = taken(unconfirmed, fullState({ ...restored, n: 2 }))
    assert.strictEqual(later.pruneHold, "EpochUnconfirmed")
    const confirmed = taken(later, fullState({ ...restored, n: 3, epochConfirmed: true }))
    assert.strictEqual(confirmed.pruneHold, null)
    assert.strictEqual(confirmed.admitted.size, 1)
    const after = taken(confirmed, fullState({ ...restored, n: 4 }))
    assert.strictEqual(after.pruneHold, null)
  })

  it("holds every tombstone back under an unconfirmed epoch, also when nothing is held before it (INV-DOC-4)", () => {
    const unconfirmed = fullState({ n: 1, tombstones: [tombstoneOf(desiredApp())], epochConfirmed: false })
    const held = taken(null, unconfirmed)
    assert.strictEqual(held.pruneHold, "EpochUnconfirmed")
    assert.strictEqual(held.admitted.size, 0)
    assert.strictEqual(taken(held, { ...unconfirmed, epochConfirmed: true }).admitted.size, 1)
  })

  it("holds pruning back under an unconfirmed epoch also while nothing is tombstoned (INV-DOC-4)", () => {
    const held = taken(null, fullState({ n: 7, apps: [desiredApp()] }))
    assert.strictEqual(held.pruneHold, null)
    const restored = fullState({
      epoch: "00000002",
      n: 1,
      apps: [desiredApp({ deploy: 2 })],
      epochConfirmed: false
    })
    const unconfirmed = taken(held, restored)
    assert.strictEqual(unconfirmed.pruneHold, "EpochUnconfirmed")
    const stored = toStored(unconfirmed, clusterId)
    assert.strictEqual(
      Result.getOrThrow(fromStored(stored, clusterId, defaults)).pruneHold,
      "EpochUnconfirmed"
    )
    assert.strictEqual(taken(unconfirmed, { ...restored, epochConfirmed: true }).pruneHold, null)
  })

  it("holds back more new tombstones than the limit, admits them once confirmed, and keeps them so (INV-DOC-5)", () => {
    const apps = Array.from({ length: 10 }, (_, service) => desiredApp({ service: service + 1 }))
    const limit = pruneLimit(10, defaults)
    assert.strictEqual(limit, 5)
    const held = taken(null, fullState({ n: 1, apps }))
    const gone = apps.slice(0, 6)
    const many = { n: 2, apps: apps.slice(6), tombstones: gone.map((app) => tombstoneOf(app)) }
    const holding = taken(held, fullState(many))
    assert.strictEqual(holding.pruneHold, "TooManyTombstones")
    assert.strictEqual(holding.admitted.size, 0)
    const confirmed = taken(holding, fullState({ ...many, n: 3, massPruneConfirmed: true }))
    assert.strictEqual(confirmed.admitted.size, 6)
    const after = taken(confirmed, fullState({ ...many, n: 4 }))
    assert.strictEqual(after.admitted.size, 6)
    const few = taken(
      held,
      fullState({ ...many, apps: apps.slice(5), tombstones: many.tombstones.slice(0, 5) })
    )
    assert.strictEqual(few.pruneHold, null)
  })
})
