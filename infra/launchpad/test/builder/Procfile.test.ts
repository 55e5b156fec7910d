import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Result } from "effect"
import { parseProcfile } from "@starform/launchpad/builder/Procfile"

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/)
const command = fc.string({ unit: "grapheme-ascii", minLength: 1 }).filter((text) => text.trim() !== "")
const processes = fc.uniqueArray(fc.tuple(name, command), { selector: ([written]) => written })

describe("parseProcfile", () => {
  it("gives back what was written, in order, whatever is around it", () => {
    fc.assert(
      fc.property(
        processes,
        fc.constantFrom("\n", "\r\n"),
        fc.constantFrom("", " ", "\t"),
        (all, end, space) => {
          const lines = all.map(([written, text]) => `${space}${written}${space}:${space}${text}${space}`)
          const text = ["# processes", "", ...lines, ""].join(end)
          assert.deepStrictEqual(
            [...Result.getOrThrow(parseProcfile(text))] as ReadonlyArray<readonly [string, string]>,
            all.map(([written, text]) => [written, text.trim()] as const)
          )
        }
      )
    )
  })

  it("never throws, and refuses in one line with the line's number", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parsed = parseProcfile(text)
        if (Result.isFailure(parsed)) {
          assert.strictEqual(parsed.failure.code, "SettingsInvalid")
          assert.match(parsed.failure.reason, /^Procfile line \d+: [^\n]+$/)
        }
      })
    )
  })

  it.each([
    ["web node server.js", "Procfile line 1: expected <name>: <command>"],
    [
      "\nWeb: x",
      'Procfile line 2: "Web" is no process name; use 1–20 lower-case letters, digits and hyphens'
    ],
    ["web:", 'Procfile line 1: "web" has no command'],
    ["web: a\nweb: b", 'Procfile line 2: "web" is there twice']
  ])("refuses %j", (text, reason) => {
    assert.strictEqual(Result.getOrThrow(Result.flip(parseProcfile(text))).reason, reason)
  })

  it("leaves colons and hashes of a command alone", () => {
    const parsed = Result.getOrThrow(parseProcfile("web: serve -b :8080 # not a comment"))
    assert.deepStrictEqual([...parsed.values()], ["serve -b :8080 # not a comment"])
  })
})
