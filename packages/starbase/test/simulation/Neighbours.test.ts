import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { Outbox, type OutboxRow } from "@starform/starbase/journal/Outbox"
import * as Evidence from "../invariants/Evidence.ts"
import { violations } from "../invariants/Invariants.ts"
import type { Stores } from "./FaultyStore.ts"
import { simulate } from "./Neighbours.ts"
import { faults } from "./TenantFaults.ts"

const seed = 1

/** Whatever an entity causes waits for what it caused before, whoever is told. */
const oneLinePerEntity = (stores: Stores): Stores => {
  const outbox = Context.get(stores, Outbox)
  const isOfSame = (row: OutboxRow) => (other: OutboxRow) => other.key.id === row.key.id
  const isOlder = (row: OutboxRow) => (other: OutboxRow) =>
    other.sequence < row.sequence || (other.sequence === row.sequence && other.position < row.position)
  return Context.add(stores, Outbox, {
    ...outbox,
    due: (nowMs, limit) =>
      Effect.flatMap(outbox.due(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), (all) =>
        Effect.map(outbox.due(nowMs, limit), (due) =>
          due.filter((row) => !all.filter(isOfSame(row)).some(isOlder(row)))
        )
      )
  })
}

describe("A tenant beside a fault of another one", { timeout: 120_000 }, () => {
  it("INV-ACT-7 waits no longer, whatever is wrong with the other", () => {
    for (const { fault, journeys, harmed, problems } of simulate(seed, faults)) {
      assert.deepStrictEqual(violations({ ...Evidence.nothing, bystanders: journeys }), [])
      assert.deepStrictEqual(problems, [])
      assert.strictEqual(journeys.length, 8, fault)
      assert.isAbove(harmed, 0, `harms nobody: ${fault}`)
    }
  })

  it("INV-ACT-7 notices effects of a cluster that wait for those of another tenant's app", () => {
    const [told] = simulate(seed, ["its journals cannot be read"], oneLinePerEntity)
    const found = violations({ ...Evidence.nothing, bystanders: told!.journeys })
    assert.isAbove(found.length, 0)
    assert.isTrue(found.every(({ invariant }) => invariant === "INV-ACT-7"))
  })
})
