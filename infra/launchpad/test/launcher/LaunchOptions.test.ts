import { assert, describe, it } from "@effect/vitest"
import { defaults, parse, usage } from "@starform/launchpad/launcher/LaunchOptions"
import { Result } from "effect"
import * as fc from "fast-check"

const refusal = (...words: ReadonlyArray<string>): string => {
  const parsed = parse(words)
  assert.isTrue(Result.isFailure(parsed), words.join(" "))
  return Result.isFailure(parsed) ? parsed.failure.message : ""
}

describe("LaunchOptions", () => {
  it("is the defaults without a word", () => {
    assert.deepStrictEqual(parse([]), Result.succeed(defaults))
  })

  it("reads every option, with its value beside it or behind an equals sign", () => {
    const wanted = Result.succeed({ ephemeral: true, sample: false, portBase: 5000, state: "elsewhere" })
    assert.deepStrictEqual(
      parse(["--ephemeral", "--no-sample", "--port-base", "5000", "--state", "elsewhere"]),
      wanted
    )
    assert.deepStrictEqual(
      parse(["--port-base=5000", "--state=elsewhere", "--no-sample", "--ephemeral"]),
      wanted
    )
  })

  it("names what it does not know, and shows what there is", () => {
    for (const word of ["--", "-x", "--ephemral", "start"]) {
      const message = refusal(word)
      assert.include(message, `${word}: is not an option`)
      assert.include(message, usage)
    }
    assert.include(refusal("--state"), "needs the name of a folder")
  })

  it("takes a port base only where six ports fit that need no privilege", () => {
    for (const text of ["", "0", "80", "1023", "65501", "4000.5", "four", "-1", "1e9"]) {
      assert.include(refusal("--port-base", text), "must be a whole number from 1024 to 65500")
    }
    assert.include(refusal("--port-base"), "must be a whole number")
    fc.assert(
      fc.property(fc.integer({ min: 1024, max: 65_500 }), (portBase) => {
        assert.deepStrictEqual(
          parse(["--port-base", String(portBase)]),
          Result.succeed({ ...defaults, portBase })
        )
      })
    )
  })

  it("mentions every option in its usage", () => {
    for (const option of ["--ephemeral", "--no-sample", "--port-base", "--state"])
      assert.include(usage, option)
  })
})
