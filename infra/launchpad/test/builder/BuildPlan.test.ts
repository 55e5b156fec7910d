import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { planBuild } from "@starform/launchpad/builder/BuildPlan"
import { listingOf } from "./SourceListings.ts"

type Files = Readonly<Record<string, string>>

const planOf = (files: Files) => Result.getOrThrow(planBuild(listingOf(files)))
const refusalOf = (files: Files) => Result.getOrThrow(Result.flip(planBuild(listingOf(files))))

const node = (declared: object, files: Files = {}): Files => ({
  "package.json": JSON.stringify(declared),
  ...files
})
const locked = (packages: object, declared: object = { dependencies: { a: "1" } }) =>
  node(declared, { "package-lock.json": JSON.stringify({ lockfileVersion: 3, packages }) })

describe("planBuild", () => {
  it.each<[string, Files, ReadonlyArray<string>]>([
    [
      "a folder of no known kind",
      { "README.md": "" },
      ["package.json", "Procfile", "starform.json", "index.html"]
    ],
    ["an empty Procfile", { Procfile: "# nothing\n" }, ["a process in Procfile"]],
    [
      "a starform.json that says nothing",
      { "starform.json": "{}" },
      ["a process in Procfile or starform.json"]
    ],
    ["another language", { "go.mod": "" }, ["go.mod", "does not build Go"]],
    ["an app in a folder", { "api/package.json": "{}" }, ["api/package.json is not at the root"]],
    ["a Dockerfile only", { Dockerfile: "" }, ["Dockerfile", "container builds come with a builder"]],
    ["a Dockerfile beside a page", { Dockerfile: "", "index.html": "" }, ["found a Dockerfile"]]
  ])("refuses %s and names what was looked for", (_, files, words) => {
    const { code, reason, advice } = refusalOf(files)
    assert.strictEqual(code, "NoDetector")
    for (const word of words) assert.include(reason, word)
    assert.notInclude(reason, "\n")
    assert.isNotEmpty(advice)
  })

  it.each([
    ["{", "package.json: is not JSON: Expected property name or '}' (line 1 column 2)"],
    ["", "package.json: is not JSON: Unexpected end of JSON input"],
    ["<<<<<<< HEAD\n{}", "package.json: is not JSON: Unexpected token '<'"],
    ["[]", "package.json: expected object"],
    ['{"scripts":[]}', "package.json: scripts: expected object"],
    ['{"dependencies":{"a":1}}', "package.json: dependencies.a: expected string"]
  ])("refuses the package.json %j in one line", (text, reason) => {
    const refused = refusalOf({ "package.json": text })
    assert.deepStrictEqual([refused.code, refused.reason], ["SourceInvalid", reason])
  })

  it("reads a package.json that begins with a byte order mark", () => {
    assert.isNull(planOf({ "package.json": "\uFEFF{}" }).install)
  })

  it.each<[string, Files, ReadonlyArray<string> | null]>([
    ["nothing for an app without a build script", node({ scripts: { start: "x" } }), null],
    ["npm run build for a build script", node({ scripts: { build: "x" } }), ["npm", "run", "build"]],
    [
      "the settings' command rather than the script",
      node({ scripts: { build: "x" } }, { "starform.json": '{"build":"make all"}' }),
      ["/bin/sh", "-c", "exec make all"]
    ],
    [
      "the settings' command of a site",
      { "starform.json": '{"build":"make site"}' },
      ["/bin/sh", "-c", "exec make site"]
    ],
    ["nothing for processes that run as they are", { Procfile: "web: ./serve" }, null]
  ])("builds by %s", (_, files, build) => {
    assert.deepStrictEqual(planOf(files).build, build)
  })

  it.each<[string, Files, object | null]>([
    ["nothing without dependencies", node({}), null],
    ["nothing for development dependencies that no build needs", node({ devDependencies: { a: "1" } }), null],
    [
      "development dependencies for a build, and prunes them",
      node({ scripts: { build: "x" }, devDependencies: { a: "1" } }),
      { command: "install", includeDev: true, pruneDev: true, isRepeatable: false }
    ],
    [
      "by the lockfile, which may be kept",
      locked({ "node_modules/a": { version: "1.0.0" } }),
      { command: "ci", includeDev: false, pruneDev: false, isRepeatable: true }
    ],
    [
      "by the lockfile, not kept when a package has an install script",
      locked({ "node_modules/a": { version: "1.0.0", hasInstallScript: true } }),
      { command: "ci", includeDev: false, pruneDev: false, isRepeatable: false }
    ],
    [
      "by the lockfile, not kept when a package is a folder of the app",
      locked({ "node_modules/a": { resolved: "packages/a", link: true } }),
      { command: "ci", includeDev: false, pruneDev: false, isRepeatable: false }
    ],
    [
      "by the lockfile, not kept when the app has an install script",
      locked({}, { scripts: { postinstall: "x" } }),
      { command: "ci", includeDev: true, pruneDev: false, isRepeatable: false }
    ],
    [
      "for an app that npm compiles by itself",
      node({}, { "binding.gyp": "" }),
      { command: "install", includeDev: true, pruneDev: false, isRepeatable: false }
    ]
  ])("installs %s", (_, files, install) => {
    assert.deepStrictEqual(planOf(files).install as object | null, install)
  })

  it("prefers starform.json to the Procfile, process by process", () => {
    const { start, healthPath } = planOf({
      Procfile: "web: old\nworker: ./work",
      "starform.json": '{"processes":{"web":"new"},"health":{"path":"/healthz"}}'
    })
    assert.deepStrictEqual(Object.fromEntries(start.processes), { web: "new", worker: "./work" })
    assert.strictEqual(healthPath, "/healthz")
  })

  it.each([
    ["a Node.js app without a lockfile", node({ dependencies: { a: "1" } }), "no package-lock.json"],
    [
      "the lockfile of another tool",
      node({ dependencies: { a: "1" } }, { "yarn.lock": "" }),
      "yarn.lock is not used"
    ],
    ["a Dockerfile that is passed over", node({}, { Dockerfile: "" }), "the Dockerfile is not used"]
  ])("warns of %s", (_, files, words) => {
    const warnings = planOf(files).notes.filter(({ source }) => source === "warning")
    assert.strictEqual(warnings.length, 1)
    assert.include(warnings[0]?.text ?? "", words)
  })
})
