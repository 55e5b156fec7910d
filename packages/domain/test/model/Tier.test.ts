import { assert, describe, it } from "@effect/vitest"
import { defaults } from "@starform/domain/model/AppSettings"
import * as Tier from "@starform/domain/model/Tier"

describe("Tier", () => {
  it("is listed from the smallest to the largest", () => {
    const sizes = Tier.tiers.map(Tier.sizeOf)
    const bySize = [...sizes].sort((a, b) => a.cpuMillicores - b.cpuMillicores)
    assert.deepStrictEqual(sizes, bySize)
    assert.strictEqual(new Set(sizes.map(({ memoryMebibytes }) => memoryMebibytes)).size, sizes.length)
  })

  it("gives the smallest size for a name that it does not know, so that no stored name blocks a deploy", () => {
    assert.deepStrictEqual(Tier.sizeOf("hypernova"), Tier.sizeOf(Tier.tiers[0]!))
    for (const name of ["constructor", "toString", "__proto__"]) {
      assert.deepStrictEqual(Tier.sizeOf(name), Tier.sizeOf(Tier.tiers[0]!))
    }
  })

  it("knows the tier that an app starts with", () => {
    assert.include(Tier.tiers, defaults.tier)
  })
})
