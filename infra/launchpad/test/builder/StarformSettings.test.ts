import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Result } from "effect"
import { starformSettings } from "@starform/launchpad/builder/StarformSettings"
import { listingOf } from "./SourceListings.ts"

const read = (text: string) => starformSettings(listingOf({ "starform.json": text }))

const settings = fc.record(
  {
    $schema: fc.string(),
    processes: fc.dictionary(fc.stringMatching(/^[a-z0-9]{1,20}$/), fc.stringMatching(/^[a-z]+ [a-z]+$/)),
    build: fc.stringMatching(/^[a-z]+$/),
    health: fc.record({ path: fc.stringMatching(/^\/[a-z/]{0,20}$/) })
  },
  { requiredKeys: [] }
)

describe("starformSettings", () => {
  it("is empty without the file", () => {
    assert.deepStrictEqual(Result.getOrThrow(starformSettings(listingOf({ "package.json": "{}" }))), {})
  })

  it("gives back what was written", () => {
    fc.assert(
      fc.property(settings, (written) => {
        const found = Result.getOrThrow(read(JSON.stringify(written)))
        assert.strictEqual(JSON.stringify(found.processes ?? {}), JSON.stringify(written.processes ?? {}))
        assert.deepStrictEqual([found.build, found.health], [written.build, written.health])
      })
    )
  })

  it("refuses any other JSON in one line, and never throws", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const found = read(text)
        if (Result.isFailure(found)) {
          assert.strictEqual(found.failure.code, "SettingsInvalid")
          assert.match(found.failure.reason, /^starform\.json: [^\n]+$/)
        }
      })
    )
  })

  it.each([
    ["{", "is not JSON: Expected property name or '}' (line 1 column 2)"],
    [
      '{\n  "build": "a"\n  "processes": {}\n}',
      "is not JSON: Expected ',' or '}' after property value (line 3 column 3)"
    ],
    ["null", "expected object"],
    ['{"proceses":{}}', "proceses: is not a setting"],
    ['{"build":7}', "build: expected string"],
    ['{"build":" "}', "build: expected a command"],
    ['{"processes":{"web":{"command":"x"}}}', "processes.web: expected string"],
    [
      '{"processes":{"Web":"x"}}',
      '"Web" is no process name; use 1–20 lower-case letters, digits and hyphens'
    ],
    ['{"health":{}}', "health.path: is missing"],
    ['{"health":{"path":"healthz"}}', "health.path: expected a path that begins with / and has no spaces"],
    ['{"health":{"path":"/","port":1}}', "health.port: is not a setting"]
  ])("refuses %j", (text, reason) => {
    assert.strictEqual(Result.getOrThrow(Result.flip(read(text))).reason, `starform.json: ${reason}`)
  })
})
