import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { BuildService } from "@starform/starbase/builds/BuildService"
import { ImageStore } from "@starform/launchpad/runtime/ImageStore"
import { temporaryFolder } from "../images/TemporaryFolder.ts"
import {
  builderIn,
  built,
  logTexts,
  putSource,
  specOf,
  submitted,
  withBuilder,
  withBuilderIn
} from "./BuilderHarness.ts"

const app = { "package.json": JSON.stringify({ scripts: { start: "node server.js" } }), "server.js": "" }

describe("HostBuilder", () => {
  it.live("builds an app without dependencies into an image with its start command", () =>
    withBuilder(
      Effect.gen(function* () {
        const result = yield* built({
          ...app,
          "bin/tool.sh": "#!/bin/sh\n",
          "starform.json": JSON.stringify({
            health: { path: "/healthz" },
            processes: { worker: "node worker.js" }
          })
        })
        assert.deepStrictEqual(
          result.processes.map(({ name, command }) => [name, command.at(-1)]),
          [
            ["web", "exec node server.js"],
            ["worker", "exec node worker.js"]
          ]
        )
        assert.strictEqual(result.healthPath, "/healthz")
        assert.match(result.image, /^launchpad\.local\/[0-9a-f-]{36}\/[0-9a-f-]{36}@sha256:[0-9a-f]{64}$/)
        assert.isTrue(result.image.endsWith(result.digest))
        const { rootDirectory, config } = yield* (yield* ImageStore).prepare(result.image)
        assert.strictEqual(config.environment["NODE_ENV"], "production")
        assert.deepStrictEqual((yield* Effect.promise(() => Fs.readdir(join(rootDirectory, "app")))).sort(), [
          "bin",
          "package.json",
          "server.js",
          "starform.json"
        ])
      })
    )
  )

  it.live(
    "gives the same digest for the same tree, on a fresh builder too, and another for another (INV-IMG-1)",
    () =>
      Effect.gen(function* () {
        const [one, two, other] = yield* withBuilder(
          Effect.all([built(app), built(app), built({ ...app, "server.js": "//" })])
        )
        const fresh = yield* withBuilder(built(app))
        assert.deepStrictEqual([two.digest, fresh.digest], [one.digest, one.digest])
        assert.notStrictEqual(one.digest, other.digest)
      })
  )

  it.live("joins a second submit of the same build, while it runs and after its end (INV-BLD-1)", () =>
    withBuilder(
      Effect.gen(function* () {
        const builds = yield* BuildService
        const spec = specOf(yield* putSource(app))
        const results = yield* Effect.forEach(
          [1, 2, 3],
          () => Effect.flatMap(builds.submit(spec), builds.await),
          { concurrency: "unbounded" }
        )
        const later = yield* Effect.flatMap(builds.submit(spec), builds.await)
        assert.deepStrictEqual([...results, later], [later, later, later, later])
        assert.strictEqual((yield* builds.status(spec))._tag, "Succeeded")
      })
    )
  )

  it.live("knows the outcome of a build that an earlier process ended (INV-HBL-6)", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const inBuilder = <A, E>(effect: Effect.Effect<A, E, BuildService>) => withBuilderIn(folder, effect)
      const spec = yield* Effect.provide(
        Effect.gen(function* () {
          const spec = specOf(yield* putSource(app))
          const builds = yield* BuildService
          yield* Effect.flatMap(builds.submit(spec), builds.await)
          const broken = specOf(yield* putSource({ "notes.txt": "" }))
          yield* Effect.flip(Effect.flatMap(builds.submit(broken), builds.await))
          return { spec, broken }
        }),
        builderIn(folder),
        { local: true }
      )
      yield* inBuilder(
        Effect.gen(function* () {
          const builds = yield* BuildService
          const result = yield* builds.await(spec.spec)
          assert.strictEqual(result.processes[0]?.name, "web")
          const error = yield* Effect.flip(Effect.flatMap(builds.submit(spec.broken), builds.await))
          assert.strictEqual(error._tag === "BuildFailed" ? error.code : error._tag, "NoDetector")
        })
      )
    })
  )

  it.live("says that it does not know a build that nobody submitted", () =>
    withBuilder(
      Effect.gen(function* () {
        const builds = yield* BuildService
        const handle = specOf(yield* putSource(app))
        assert.strictEqual((yield* Effect.flip(builds.status(handle)))._tag, "BuildUnknown")
        assert.strictEqual((yield* Effect.flip(builds.await(handle)))._tag, "BuildUnknown")
        yield* builds.cancel(handle)
      })
    )
  )

  it.live("forgets a build that a stop interrupted, so that the next process builds it (INV-HBL-6)", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const slow = {
        "starform.json": JSON.stringify({ build: "echo begun; sleep 600", processes: { web: "x" } })
      }
      const spec = yield* Effect.provide(
        Effect.gen(function* () {
          const builds = yield* BuildService
          const spec = specOf(yield* putSource(slow))
          const handle = yield* builds.submit(spec)
          yield* Stream.runHead(Stream.filter(builds.logs(handle, 1), ({ text }) => text === "begun"))
          return spec
        }),
        builderIn(folder),
        { local: true }
      )
      yield* Effect.provide(
        Effect.gen(function* () {
          const builds = yield* BuildService
          assert.strictEqual((yield* Effect.flip(builds.status(spec)))._tag, "BuildUnknown")
          assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(folder, "builder", "work"))), [])
        }),
        builderIn(folder),
        { local: true }
      )
    })
  )

  it.live("delivers the log while the build runs, in order, without carriage returns", () =>
    withBuilder(
      Effect.gen(function* () {
        const builds = yield* BuildService
        const script = "printf '10%%\\r50%%\\r100%%\\n'; echo out; echo err >&2; echo again; sleep 600"
        const handle = yield* submitted({
          "starform.json": JSON.stringify({ build: script, processes: { web: "node x" } })
        })
        const live = yield* Stream.runCollect(
          builds.logs(handle, 1).pipe(
            Stream.filter(({ source }) => source === "output"),
            Stream.take(4),
            Stream.map(({ text }) => text)
          )
        )
        assert.deepStrictEqual(live, ["100%", "out", "err", "again"])
        assert.strictEqual((yield* builds.status(handle))._tag, "Running")
        yield* builds.cancel(handle)
        assert.strictEqual((yield* logTexts(handle)).at(-1), "the build was cancelled")
      })
    )
  )
})
