import { assert, describe, it } from "@effect/vitest"
import { honoured } from "@starform/starbase/runners/Drains"
import { merged } from "@starform/starbase/runners/ShardRegister"

const runner = (address: string, groups: ReadonlyArray<string> = ["default", "builds"], healthy = true) => ({
  address,
  groups,
  healthy
})

describe("honoured", () => {
  it("honours a drain while another healthy runner takes care of every group", () => {
    assert.deepStrictEqual([...honoured([runner("a"), runner("b")], new Set(["a"]))], ["a"])
  })

  it.each([
    ["there is no other", [runner("a")]],
    ["the other is not healthy", [runner("a"), runner("b", ["default", "builds"], false)]],
    ["the other takes none of one group", [runner("a"), runner("b", ["default"])]]
  ])("does not when %s", (_, runners) => {
    assert.strictEqual(honoured(runners, new Set(["a"])).size, 0)
  })

  it("honours none when all are drained", () => {
    assert.strictEqual(honoured([runner("a"), runner("b")], new Set(["a", "b"])).size, 0)
  })
})

describe("merged", () => {
  const move = (kind: "acquired" | "released", shards: ReadonlyArray<string>, atMs: number) => ({
    kind,
    runner: "a",
    shards,
    atMs
  })

  it("makes one move of what a runner did in a row, and keeps the order of the rest", () => {
    assert.deepStrictEqual(
      merged([
        move("released", ["default:2"], 1),
        move("released", ["default:1"], 2),
        move("acquired", ["default:2"], 3),
        move("released", ["default:3"], 4)
      ]),
      [
        move("released", ["default:1", "default:2"], 1),
        move("acquired", ["default:2"], 3),
        move("released", ["default:3"], 4)
      ]
    )
  })
})
