/** What is removed, with the agent dying at each of its writes: before the server hears of it, and before it hears back. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Moment, Write } from "./FatalLine.ts"
import { removals } from "./PruneRows.ts"
import { inWorld, run, testRows, timeout } from "./PruneRuns.ts"
import type { Lot } from "./PruneWorld.ts"

describe("prune matrix: removals", () => {
  testRows(removals)
})

const isInventory = ({ path }: Write) => path.endsWith("/starform-inventory")

/** A step of the row below, by the write that it is. */
const steps: Readonly<Record<string, readonly [moment: Moment, isLast: () => (write: Write) => boolean]>> = {
  "an inventory is written": ["before", () => isInventory],
  "a wave is applied": [
    "after",
    () =>
      ({ method, path }) =>
        method === "PATCH" && path.includes("/services/")
  ],
  "a wave is about to be deleted": [
    "before",
    () =>
      ({ method }) =>
        method === "DELETE"
  ],
  "a wave was deleted": [
    "after",
    () =>
      ({ method, path }) =>
        method === "DELETE" && path.includes("/deployments/")
  ],
  "the entries are forgotten": [
    "after",
    () => {
      let deletes = 0
      return (write) => {
        if (write.method === "DELETE") deletes += 1
        return deletes >= 5 && isInventory(write)
      }
    }
  ]
}

describe("prune matrix, in a process of its own that is killed (SIGKILL)", () => {
  for (const [name, [moment, isLast]] of Object.entries(steps)) {
    it.live(
      name,
      () =>
        Effect.gen(function* () {
          const row = removals["a tombstone beside a project that is new"]
          if (row === undefined) return assert.fail("no such row")
          const lot: Lot = { life: "process", death: { isLast: isLast(), moment } }
          const { deaths } = yield* inWorld((world) => run(world, row, lot))
          assert.strictEqual(deaths, 1)
        }),
      timeout
    )
  }
})
