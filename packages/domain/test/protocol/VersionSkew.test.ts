import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import * as VersionSkew from "@starform/domain/protocol/VersionSkew"
import { format } from "@starform/domain/desired/DesiredState"

const standing = (agent: string, own: string) => VersionSkew.standingOf({ version: agent, format: 1 }, own)

describe("standingOf", () => {
  it.each([
    ["1.4.0", "tooOld"],
    ["1.5.0", "behind"],
    ["1.5.9", "behind"],
    ["1.6.0", "behind"],
    ["1.7.0", "current"],
    ["1.7.3-rc.1", "current"],
    ["1.8.0", "current"],
    ["1.9.0", "tooNew"],
    ["0.7.0", "tooOld"],
    ["2.7.0", "tooNew"]
  ] as const)("of %s beside Starbase 1.7.2 is %s", (agent, expected) => {
    assert.strictEqual(standing(agent, "1.7.2"), expected)
  })

  it("serves N−2 to N+1 and no other release, whatever N is", () => {
    for (let own = 0; own < 12; own++) {
      for (let agent = 0; agent < 15; agent++) {
        const isServed = VersionSkew.isServed(standing(`3.${agent}.1`, `3.${own}.7`))
        assert.strictEqual(isServed, agent >= own - 2 && agent <= own + 1, `${agent} beside ${own}`)
      }
    }
  })

  it("does not serve an agent that understands no format that can be written", () => {
    const deaf = { version: VersionSkew.starformVersion, format: VersionSkew.oldestFormatServed - 1 }
    assert.strictEqual(VersionSkew.standingOf(deaf), "tooOld")
  })

  it("serves an agent that says nothing as the first release", () => {
    assert.isTrue(VersionSkew.isServed(VersionSkew.standingOf(VersionSkew.unsaid)))
    assert.strictEqual(VersionSkew.formatFor(VersionSkew.unsaid), 1)
  })
})

describe("formatFor", () => {
  it("is the newest that both know", () => {
    const agent = (understood: number) => ({ version: "0.1.0", format: understood })
    assert.strictEqual(VersionSkew.formatFor(agent(format + 3)), format)
    assert.strictEqual(VersionSkew.formatFor(agent(1)), 1)
  })
})

describe("AgentVersion", () => {
  const decode = Schema.decodeUnknownOption(VersionSkew.AgentVersion)

  it("is three numbers, with a word after a hyphen at most", () => {
    for (const text of ["0.1.0", "12.34.56", "1.2.3-rc.1"]) assert.isTrue(Option.isSome(decode(text)), text)
    for (const text of ["", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3\n", "1.2.3-", "1.2.3-ä", "99999.1.1"]) {
      assert.isTrue(Option.isNone(decode(text)), text)
    }
  })

  it("is what this very code is", () => {
    assert.isTrue(Option.isSome(decode(VersionSkew.starformVersion)))
    assert.strictEqual(VersionSkew.standingOf({ version: VersionSkew.starformVersion, format }), "current")
  })
})
