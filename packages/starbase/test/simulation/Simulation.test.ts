import { assert, describe, it } from "@effect/vitest"
import { tell } from "./Judgement.ts"
import { simulate } from "./Simulation.ts"

const seeds = 300

describe("The simulation", () => {
  it("replays a seed exactly, and no two seeds are alike", () => {
    const [first, again, other] = [simulate(7), simulate(7), simulate(8)]
    assert.deepStrictEqual(again.trace, first.trace)
    assert.strictEqual(again.traceHash, first.traceHash)
    assert.strictEqual(again.tasks, first.tasks)
    assert.notStrictEqual(other.traceHash, first.traceHash)
  })

  it(`keeps every invariant in ${seeds} runs`, { timeout: 600_000 }, () => {
    const late: Array<string> = []
    for (let seed = 1; seed <= seeds; seed++) {
      const outcome = simulate(seed, {}, false)
      assert.deepStrictEqual(outcome.violations, [], tell(outcome))
      late.push(...outcome.late.map((what) => `seed ${seed}: ${what}`))
    }
    // Nothing is left to the watch over lost deploys.
    assert.deepStrictEqual(late, [])
  })
})
