import { assert, describe, it } from "@effect/vitest"
import { kept, remembered } from "@starform/starbase/entities/RememberedById"

const counting = () => {
  const made: Array<string> = []
  const value = remembered((id: string) => {
    made.push(id)
    return { id }
  })
  return { made, value }
}

describe("RememberedById", () => {
  it("gives the same value for the same id, and never another's", () => {
    const { made, value } = counting()
    assert.strictEqual(value("a"), value("a"))
    assert.strictEqual(value("b").id, "b")
    assert.deepStrictEqual(made, ["a", "b"])
  })

  it("keeps what is asked for again, and forgets what is not", () => {
    const { made, value } = counting()
    const first = value("often")
    value("once")
    for (let n = 0; n < 3 * kept; n++) {
      value(`other ${n}`)
      if (n % (kept / 2) === 0) assert.strictEqual(value("often"), first)
    }
    value("once")
    assert.strictEqual(made.filter((id) => id === "often").length, 1)
    assert.strictEqual(made.filter((id) => id === "once").length, 2)
  })
})
