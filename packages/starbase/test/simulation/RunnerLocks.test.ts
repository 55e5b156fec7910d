import { assert, describe, it } from "@effect/vitest"
import { RunnerLocks } from "./RunnerLocks.ts"

const [a, b] = ["10.0.0.1:1", "10.0.0.1:2"]

describe("Shard locks", () => {
  it("have one owner, until it lets go", () => {
    const locks = new RunnerLocks(5_000)
    assert.deepStrictEqual(locks.acquire(a, ["default:1", "default:2"], 0), ["default:1", "default:2"])
    assert.deepStrictEqual(locks.acquire(b, ["default:2", "default:3"], 1), ["default:3"])
    assert.deepStrictEqual(locks.refresh(b, ["default:2", "default:3"], 2), ["default:3"])
    locks.release(b, "default:2")
    assert.strictEqual(locks.ownerOf("default:2", 3), a)
    locks.release(a, "default:2")
    assert.deepStrictEqual(locks.acquire(b, ["default:2"], 4), ["default:2"])
    locks.releaseAll(a)
    assert.deepStrictEqual(locks.acquire(b, ["default:1"], 5), ["default:1"])
  })

  it("that nobody refreshes are free after their expiry, and not before", () => {
    const locks = new RunnerLocks(5_000)
    locks.acquire(a, ["default:1"], 0)
    locks.refresh(a, ["default:1"], 4_000)
    assert.deepStrictEqual(locks.acquire(b, ["default:1"], 9_000), [])
    assert.deepStrictEqual(locks.acquire(b, ["default:1"], 9_001), ["default:1"])
  })

  it("that were taken over are lost to whoever wakes up late", () => {
    const locks = new RunnerLocks(5_000)
    locks.acquire(a, ["default:1"], 0)
    locks.acquire(b, ["default:1"], 6_000)
    assert.deepStrictEqual(locks.refresh(a, ["default:1"], 6_001), [])
    assert.deepStrictEqual(locks.acquire(a, ["default:1"], 6_002), [])
    locks.release(a, "default:1")
    locks.releaseAll(a)
    assert.strictEqual(locks.ownerOf("default:1", 6_003), b)
  })

  it("of a runner that went on unseen are refreshed as long as nobody took them", () => {
    const locks = new RunnerLocks(5_000)
    locks.acquire(a, ["default:1"], 0)
    assert.strictEqual(locks.ownerOf("default:1", 6_000), undefined)
    assert.deepStrictEqual(locks.refresh(a, ["default:1"], 6_000), ["default:1"])
    assert.strictEqual(locks.ownerOf("default:1", 6_001), a)
  })

  it("see a runner for as long as it refreshes", () => {
    const locks = new RunnerLocks(5_000)
    assert.notStrictEqual(locks.register(a, "A", true, 0), locks.register(b, "B", true, 0))
    locks.setHealth(b, false)
    assert.deepStrictEqual(locks.present(1), [
      ["A", true],
      ["B", false]
    ])
    locks.refresh(a, [], 4_000)
    assert.deepStrictEqual(locks.present(6_000), [["A", true]])
    locks.unregister(a)
    assert.deepStrictEqual(locks.present(6_000), [])
  })
})
