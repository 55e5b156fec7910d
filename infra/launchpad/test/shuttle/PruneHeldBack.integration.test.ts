/** What is held back, with the agent dying at each of its writes: before the server hears of it, and before it hears back. */
import { describe } from "@effect/vitest"
import { heldBack } from "./PruneRows.ts"
import { testRows } from "./PruneRuns.ts"

describe("prune matrix: held back", () => {
  testRows(heldBack)
})
