import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { BuildFailureCode } from "@starform/starbase/builds/BuildErrors"
import { BuildService } from "@starform/starbase/builds/BuildService"
import { BlobStore } from "@starform/starbase/storage/BlobStore"
import { temporaryFolder } from "../images/TemporaryFolder.ts"
import {
  failureOf,
  logTexts,
  putSource,
  scripted,
  type SourceFiles,
  specOf,
  submitted,
  withBuilder,
  withBuilderIn
} from "./BuilderHarness.ts"

const node = (declared: object): SourceFiles => ({ "package.json": JSON.stringify(declared) })

const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 12345\n`

const refused: ReadonlyArray<readonly [string, SourceFiles, BuildFailureCode, string]> = [
  ["a commit without files", {}, "SourceInvalid", "the commit has no files"],
  ["files of no known kind", { "README.md": "" }, "NoDetector", "looked for package.json"],
  ["a Dockerfile only", { Dockerfile: "FROM scratch\n" }, "NoDetector", "found a Dockerfile"],
  ["an app that nothing starts", node({}), "MissingStartCommand", "no start command: looked for web"],
  [
    "a malformed package.json",
    { "package.json": '{"name": x}' },
    "SourceInvalid",
    "package.json: is not JSON"
  ],
  [
    "a malformed starform.json",
    { ...node({}), "starform.json": '{"helth": {}}' },
    "SettingsInvalid",
    "starform.json: helth: is not a setting"
  ],
  ["a malformed Procfile", { Procfile: "web node server.js\n" }, "SettingsInvalid", "Procfile line 1"],
  [
    "a declared submodule",
    { ...node({}), ".gitmodules": '[submodule "ui"]\n\tpath = ui\n\turl = ../ui.git\n' },
    "SubmoduleRefused",
    "ui is a Git submodule"
  ],
  [
    "a submodule in the tree",
    { ...node({}), "vendor/ui": null },
    "SubmoduleRefused",
    "vendor/ui is a Git submodule"
  ],
  [
    "a Git LFS pointer",
    { ...node({}), "assets/film.mp4": pointer },
    "LfsPointer",
    "assets/film.mp4 is a Git LFS"
  ],
  [
    "a path that leaves the tree",
    { ...node({}), "../evil": "x" },
    "SourceInvalid",
    "../evil: the path leaves the tree"
  ],
  ["an absolute path", { ...node({}), "/evil": "x" }, "SourceInvalid", "/evil: the path leaves the tree"],
  [
    "a name that no disk takes",
    { ...node({}), ["n".repeat(300)]: "x" },
    "SourceInvalid",
    "a path is longer than"
  ],
  [
    "a build that leaves a link out of the tree",
    scripted("ln -s /etc/passwd users"),
    "UnsafeLink",
    "users: the link points outside the tree"
  ],
  ["a build that leaves a pipe", scripted("mkfifo pipe"), "SourceInvalid", "pipe: only files, directories"],
  ["a build that fails", scripted("echo almost; exit 7"), "BuildStepFailed", "exit 7 ended with status 7"],
  [
    "a build that no program can do",
    scripted("no-such-program"),
    "BuildStepFailed",
    "no-such-program ended with status 127"
  ],
  ["a build that a signal ends", scripted("kill -SEGV $$; :"), "BuildStepFailed", "was ended by SIGSEGV"]
]

describe("HostBuilder refusals", () => {
  it.live.each(refused)(
    "refuses %s, in one line, with advice, in status and log too",
    ([, files, code, words]) =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        yield* withBuilderIn(
          folder,
          Effect.gen(function* () {
            const handle = yield* submitted(files)
            const failed = yield* failureOf(handle)
            assert.strictEqual(failed.code, code)
            assert.include(failed.reason, words)
            assert.notInclude(failed.reason + failed.advice, "\n")
            assert.isNotEmpty(failed.advice)
            const status = yield* (yield* BuildService).status(handle)
            assert.deepStrictEqual(status, { _tag: "Failed", code, reason: failed.reason })
            assert.strictEqual((yield* logTexts(handle)).at(-1), failed.reason)
            assert.deepStrictEqual(
              yield* Effect.promise(() => Fs.readdir(join(folder, "builder", "work"))),
              []
            )
          })
        )
      })
  )

  it.live("refuses a link out of the tree, and bytes that are no archive", () =>
    withBuilder(
      Effect.gen(function* () {
        const builds = yield* BuildService
        const blobs = yield* BlobStore
        const linked = yield* putSource(node({}), { secrets: "/etc/shadow" })
        const noise = yield* blobs.putBytes(new Uint8Array(2048).fill(65))
        const failures = yield* Effect.forEach([linked, noise.digest], (source) =>
          Effect.flatMap(builds.submit(specOf(source)), failureOf)
        )
        assert.deepStrictEqual(
          failures.map(({ code }) => code),
          ["UnsafeLink", "SourceInvalid"]
        )
        assert.include(failures[0]?.reason ?? "", "secrets is a link to something outside the repository")
        assert.include(failures[1]?.reason ?? "", "the archive cannot be read")
      })
    )
  )

  it.live("tells npm's last lines, without colours, when an install fails", () =>
    withBuilder(
      Effect.gen(function* () {
        const scripts = { preinstall: "echo checking; exit 3", start: "node server.js" }
        const { code, reason, output } = yield* failureOf(yield* submitted(node({ scripts })))
        assert.strictEqual(code, "InstallFailed")
        assert.include(reason, "npm install --include=dev --no-package-lock ended with status 3")
        const text = output.join("\n")
        assert.match(text, /npm error code 3/)
        assert.match(text, /npm error command .*exit 3/)
        assert.notInclude(text, "\u001b")
      })
    )
  )

  it.live("says that the lockfile does not match, for which packages, and nothing of npm's usage", () =>
    withBuilder(
      Effect.gen(function* () {
        const lockfile = {
          name: "app",
          lockfileVersion: 3,
          requires: true,
          packages: { "": { name: "app" } }
        }
        const files = {
          ...node({
            name: "app",
            scripts: { start: "node server.js" },
            dependencies: { local: "file:local" }
          }),
          "package-lock.json": JSON.stringify(lockfile),
          "local/package.json": JSON.stringify({ name: "local", version: "1.0.0" })
        }
        const { code, reason, advice, output } = yield* failureOf(yield* submitted(files))
        assert.strictEqual(code, "InstallFailed")
        assert.strictEqual(reason, "package-lock.json does not match package.json")
        assert.include(advice, "Run `npm install`, commit package-lock.json")
        const text = output.join("\n")
        assert.match(text, /Missing: local@/)
        assert.notInclude(text, "--install-strategy")
      })
    )
  )

  it.live("names what a build has closed to its own user, and removes it all the same", (context) => {
    if (process.getuid?.() === 0) return context.skip("no permission keeps root from reading")
    return Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* withBuilderIn(
        folder,
        Effect.gen(function* () {
          const script = "mkdir -p closed/deep; touch closed/deep/file; chmod 0 closed/deep closed"
          const { code, reason } = yield* failureOf(yield* submitted(scripted(script)))
          assert.strictEqual(code, "SourceInvalid")
          assert.include(reason, "closed: its permissions forbid reading it")
          assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(folder, "builder", "work"))), [])
        })
      )
    })
  })
})
