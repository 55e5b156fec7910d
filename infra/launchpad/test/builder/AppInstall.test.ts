import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { BuildService } from "@starform/starbase/builds/BuildService"
import { ImageStore } from "@starform/launchpad/runtime/ImageStore"
import { temporaryFolder } from "../images/TemporaryFolder.ts"
import {
  built,
  logTexts,
  newWorkspace,
  readFixture,
  submitted,
  withBuilder,
  withBuilderIn
} from "./BuilderHarness.ts"

describe("installApp", () => {
  it.live(
    "installs production dependencies, keeps them as a layer, and installs nothing when the lockfile is unchanged",
    () =>
      withBuilder(
        Effect.gen(function* () {
          const files = yield* readFixture("with-dependency")
          const workspaceId = newWorkspace()
          const first = yield* submitted(files, { workspaceId })
          const builds = yield* BuildService
          const one = yield* builds.await(first)
          assert.include((yield* logTexts(first)).join("\n"), "$ npm ci --omit=dev")
          const changed = { ...files, "server.js": `${files["server.js"]}// changed\n` }
          const second = yield* submitted(changed, { workspaceId })
          const two = yield* builds.await(second)
          assert.include(yield* logTexts(second), "dependencies are unchanged: nothing to install")
          assert.isFalse((yield* logTexts(second)).some((text) => text.startsWith("$ npm")))
          const images = yield* ImageStore
          const roots = yield* Effect.forEach([one, two], ({ image }) => images.prepare(image))
          const inodes = yield* Effect.forEach(roots, ({ rootDirectory }) =>
            Effect.promise(async () => {
              const modules = join(rootDirectory, "app", "node_modules")
              assert.deepStrictEqual(
                (await Fs.readdir(modules)).filter((name) => !name.startsWith(".")),
                ["is-number"]
              )
              return (await Fs.stat(join(modules, "is-number", "index.js"))).ino
            })
          )
          assert.strictEqual(inodes[0], inodes[1])
          const same = yield* built(files, { workspaceId })
          assert.strictEqual(same.digest, one.digest)
          const elsewhere = yield* submitted(files)
          yield* builds.await(elsewhere)
          assert.include((yield* logTexts(elsewhere)).join("\n"), "$ npm ci --omit=dev")
        })
      )
  )

  it.live(
    "has development dependencies for the build command and not in the image, also when they were kept",
    () =>
      withBuilder(
        Effect.gen(function* () {
          const files = yield* readFixture("with-dependency")
          const declared = JSON.parse(files["package.json"] ?? "")
          declared.scripts.build =
            "node -e \"require('fs').writeFileSync('out.txt', String(require('is-odd')(3)))\""
          const source = { ...files, "package.json": JSON.stringify(declared) }
          const workspaceId = newWorkspace()
          const one = yield* built(source, { workspaceId })
          const second = yield* submitted(source, { workspaceId })
          const two = yield* (yield* BuildService).await(second)
          assert.include(yield* logTexts(second), "dependencies are unchanged: nothing to install")
          assert.strictEqual(one.digest, two.digest)
          const { rootDirectory } = yield* (yield* ImageStore).prepare(two.image)
          const read = (path: string) =>
            Effect.promise(() => Fs.readFile(join(rootDirectory, "app", path), "utf8"))
          assert.strictEqual(yield* read("out.txt"), "true")
          const modules = yield* Effect.promise(() => Fs.readdir(join(rootDirectory, "app", "node_modules")))
          assert.deepStrictEqual(
            modules.filter((name) => !name.startsWith(".")),
            ["is-number"]
          )
        })
      )
  )

  it.live("gives the same digest for the same app on a fresh builder (INV-IMG-1)", () =>
    Effect.gen(function* () {
      const files = yield* readFixture("with-dependency")
      const [one, two] = yield* Effect.forEach([1, 2], () => withBuilder(built(files)))
      assert.strictEqual(one?.digest, two?.digest)
    })
  )

  it.live("installs anew when a kept tree turns out to be damaged, and keeps that", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const files = yield* readFixture("with-dependency")
      const declared = JSON.parse(files["package.json"] ?? "")
      declared.scripts.build = "node -e 0"
      const source = { ...files, "package.json": JSON.stringify(declared) }
      const workspaceId = newWorkspace()
      yield* withBuilderIn(
        folder,
        Effect.gen(function* () {
          const builds = yield* BuildService
          const one = yield* built(source, { workspaceId })
          yield* Effect.promise(async () => {
            const layers = join(folder, "builder", "layers", workspaceId)
            const [name = ""] = await Fs.readdir(layers)
            const { digest } = JSON.parse(await Fs.readFile(join(layers, name), "utf8"))
            await Fs.appendFile(
              join(folder, "blobs", "sha256", digest.slice(7, 9), digest.slice(7)),
              "damage"
            )
          })
          const logs = yield* Effect.forEach([1, 2], () =>
            Effect.gen(function* () {
              const handle = yield* submitted(source, { workspaceId })
              assert.strictEqual((yield* builds.await(handle)).digest, one.digest)
              return (yield* logTexts(handle)).join("\n")
            })
          )
          assert.include(logs[0] ?? "", "$ npm ci --include=dev --prefer-offline")
          assert.include(logs[1] ?? "", "dependencies are unchanged: nothing to install")
        })
      )
    })
  )
})
