import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { RunnerFacts } from "@starform/starbase/runners/Drains"
import { corrections, cutOff, type RunnerViews } from "@starform/starbase/runners/RunnerVerdict"

const runner = (address: string, more: Partial<RunnerFacts> = {}): RunnerFacts => ({
  address,
  groups: ["default", "builds"],
  healthy: true,
  ...more
})

const three = [runner("a"), runner("b"), runner("c")]

/** Everybody reaches everybody, but for what is named: from one to another. */
const viewsOf = (
  runners: ReadonlyArray<RunnerFacts>,
  misses: ReadonlyArray<readonly [string, string]>
): RunnerViews =>
  new Map(
    runners.map(({ address }) => [
      address,
      new Map(
        runners
          .filter((other) => other.address !== address)
          .map((other) => [
            other.address,
            !misses.some(([from, to]) => from === address && to === other.address)
          ])
      )
    ])
  )

const verdict = (
  misses: ReadonlyArray<readonly [string, string]>,
  runners: ReadonlyArray<RunnerFacts> = three
) => [...cutOff(runners, viewsOf(runners, misses))].sort()

const bothWays = (a: string, b: string) =>
  [
    [a, b],
    [b, a]
  ] as const

describe("RunnerVerdict", () => {
  describe("corrections", () => {
    const out = (...names: ReadonlyArray<string>) => new Set(names)
    const [api, worker] = [{ groups: ["default"] }, { groups: ["builds"] }]

    it("are of those that are to be out, and leave it to the singleton to let others back", () => {
      const runners = [runner("a"), runner("b"), runner("c", { healthy: false })]
      assert.deepStrictEqual([...corrections(runners, out("a", "c"))], [["a", false]])
      assert.deepStrictEqual([...corrections(runners, out())], [])
    })

    it("let back who is needed, when two took each other out and nobody holds the singleton's group", () => {
      const runners = [
        runner("a", { ...api, healthy: false }),
        runner("b", { ...api, healthy: false }),
        runner("w", worker)
      ]
      assert.deepStrictEqual([...corrections(runners, out("b"))], [["a", true]])
      assert.deepStrictEqual([...corrections(runners.with(0, runner("a", api)), out())], [])
    })

    it("let nobody back for a group that is taken care of", () => {
      const runners = [runner("a", api), runner("w", { ...worker, healthy: false })]
      assert.deepStrictEqual([...corrections(runners, out())], [["w", true]])
      assert.deepStrictEqual([...corrections([...runners, runner("v", worker)], out())], [])
    })
  })

  describe("cutOff", () => {
    it("names nobody while everybody is reached, or nothing is known", () => {
      assert.deepStrictEqual(verdict([]), [])
      assert.deepStrictEqual([...cutOff(three, new Map())], [])
      assert.deepStrictEqual([...cutOff([], new Map())], [])
    })

    it("names the one that is not reached, although it reaches the others", () => {
      const misses = [
        ["b", "a"],
        ["c", "a"]
      ] as const
      assert.deepStrictEqual(verdict(misses), ["a"])
    })

    it("names the one that reaches nobody, although it is reached", () => {
      const misses = [
        ["a", "b"],
        ["a", "c"]
      ] as const
      assert.deepStrictEqual(verdict(misses), ["a"])
    })

    it("names the smaller side of a partition", () => {
      const five = [...three, runner("d"), runner("e")]
      const misses = ["a", "b"].flatMap((one) => ["c", "d", "e"].flatMap((other) => bothWays(one, other)))
      assert.deepStrictEqual(verdict(misses, five), ["a", "b"])
    })

    it("names one of two that do not reach each other, the one that is not reached", () => {
      const two = [runner("a"), runner("b")]
      assert.deepStrictEqual(verdict([["a", "b"]], two), ["b"])
      assert.deepStrictEqual(verdict([["b", "a"]], two), ["a"])
      assert.lengthOf(verdict(bothWays("a", "b"), two), 1)
      assert.lengthOf(verdict(bothWays("a", "b")), 1, "with a third one that reaches both")
    })

    it("names the one that is alone, also when it was first and took the others out", () => {
      const misses = [...bothWays("a", "b"), ...bothWays("a", "c")]
      for (const wereOut of [["b"], ["b", "c"], ["a", "b", "c"]]) {
        const runners = three.map((one) => ({ ...one, healthy: !wereOut.includes(one.address) }))
        assert.deepStrictEqual(verdict(misses, runners), ["a"])
      }
    })

    it("stays with whom it named while the two are still apart", () => {
      for (const out of ["a", "b"]) {
        const runners = three.map((one) => ({ ...one, healthy: one.address !== out }))
        assert.deepStrictEqual(verdict(bothWays("a", "b"), runners), [out])
      }
    })

    it("spares the last one of a shard group", () => {
      const roles = [runner("a", { groups: ["default"] }), runner("w", { groups: ["builds"] })]
      assert.deepStrictEqual(verdict(bothWays("a", "w"), roles), [])
      const two = [...roles, runner("b", { groups: ["default"] })]
      const misses = [...bothWays("w", "a"), ...bothWays("w", "b")]
      assert.deepStrictEqual(verdict(misses, two), [], "shards that nobody holds help nobody")
    })
  })

  const cluster = fc.integer({ min: 1, max: 6 }).chain((size) => {
    const names = Array.from({ length: size }, (_, n) => `r${n}`)
    const pairs = names.flatMap((from) => names.map((to) => [from, to] as const))
    return fc.record({
      runners: fc.tuple(...names.map((name) => fc.boolean().map((healthy) => runner(name, { healthy })))),
      misses: fc.subarray(pairs)
    })
  })

  it("leaves somebody, and nobody who does not reach the rest", () => {
    fc.assert(
      fc.property(cluster, ({ runners, misses }) => {
        const out = new Set(verdict(misses, runners))
        const kept = runners.filter(({ address }) => !out.has(address)).map(({ address }) => address)
        assert.isNotEmpty(kept)
        for (const [from, to] of misses) {
          assert.isFalse(from !== to && kept.includes(from) && kept.includes(to))
        }
      })
    )
  })

  it("is the same in whatever order it is worked out", () => {
    fc.assert(
      fc.property(cluster, ({ runners, misses }) => {
        const views = viewsOf(runners, misses)
        const reversed = cutOff([...runners].reverse(), views)
        assert.deepStrictEqual([...reversed].sort(), verdict(misses, runners))
      })
    )
  })

  it("comes to rest: once it is carried out it names nobody else, and then stays as it is", () => {
    fc.assert(
      fc.property(cluster, ({ runners, misses }) => {
        const carriedOut = (out: ReadonlyArray<string>) =>
          runners.map((one) => ({ ...one, healthy: !out.includes(one.address) }))
        const first = verdict(misses, runners)
        const second = verdict(misses, carriedOut(first))
        assert.includeMembers(first, second)
        assert.deepStrictEqual(verdict(misses, carriedOut(second)), second)
      })
    )
  })
})
