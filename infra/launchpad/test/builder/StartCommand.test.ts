import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Result } from "effect"
import { ProcessName } from "@starform/domain/ids/Slug"
import { type StartDeclaration, startOf } from "@starform/launchpad/builder/StartCommand"
import { listingOf } from "./SourceListings.ts"

const start = (declared: Partial<StartDeclaration>, files: ReadonlyArray<string> = []) =>
  startOf(
    { processes: new Map(), packageJson: undefined, isBuilt: false, ...declared },
    listingOf(Object.fromEntries(files.map((file) => [file, ""])))
  )

const webOf = (declared: Partial<StartDeclaration>, files: ReadonlyArray<string> = []) =>
  Result.getOrThrow(start(declared, files)).processes[0]?.command.at(-1)

const named = (processes: Readonly<Record<string, string>>) =>
  new Map(Object.entries(processes).map(([name, command]) => [ProcessName.make(name), command]))

describe("startOf", () => {
  it("takes the declared web process first, then the start script, then main, then an entry file", () => {
    const packageJson = { scripts: { start: "node started.js" }, main: "main.js" }
    const files = ["main.js", "server.js", "index.html"]
    assert.strictEqual(webOf({ processes: named({ web: "./own" }), packageJson }, files), "exec ./own")
    assert.strictEqual(webOf({ packageJson }, files), "exec node started.js")
    assert.strictEqual(webOf({ packageJson: { main: "./main" } }, files), "main.js")
    assert.strictEqual(webOf({ packageJson: {} }, files), "server.js")
  })

  it("starts by npm when npm does something around the start script", () => {
    const scripts = { prestart: "node migrate.js", start: "node server.js" }
    assert.strictEqual(webOf({ packageJson: { scripts } }), "exec npm start")
  })

  it.each<[string, boolean, ReadonlyArray<string>, string]>([
    ["what a build made rather than its source", true, ["index.html", "dist/index.html"], "dist"],
    ["an export folder", true, ["out/index.html"], "out"],
    ["the root when nothing is built", false, ["index.html", "dist/index.html"], "."],
    ["the public folder", false, ["public/index.html"], "public"]
  ])("serves %s", (_, isBuilt, files, folder) => {
    assert.strictEqual(Result.getOrThrow(start({ isBuilt }, files)).site, folder)
  })

  it("says what it looked for when nothing starts", () => {
    const { code, reason } = Result.getOrThrow(Result.flip(start({ packageJson: {} }, ["lib.js"])))
    assert.strictEqual(code, "MissingStartCommand")
    for (const word of ["Procfile", "starform.json", "start script", "server.js", "index.html", "the root"]) {
      assert.include(reason, word)
    }
  })

  it("runs every declared process, web first and once, and nothing that was not declared beside workers", () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/)
    fc.assert(
      fc.property(fc.dictionary(name, fc.stringMatching(/^[a-z]+$/), { minKeys: 1 }), (processes) => {
        const names = Result.getOrThrow(start({ processes: named(processes) }, ["index.html"])).processes.map(
          (process): string => process.name
        )
        assert.deepStrictEqual(names.toSorted(), Object.keys(processes).sort())
        if (names.includes("web")) assert.strictEqual(names[0], "web")
      })
    )
  })
})
