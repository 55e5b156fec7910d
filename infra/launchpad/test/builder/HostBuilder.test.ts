import { spawn } from "node:child_process"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { BuildService } from "@starform/starbase/builds/BuildService"
import { ImageStore } from "@starform/launchpad/runtime/ImageStore"
import { temporaryFolder } from "../images/TemporaryFolder.ts"
import {
  builderIn,
  built,
  eventually,
  logTexts,
  newWorkspace,
  putSource,
  readFixture,
  specOf,
  submitted,
  withBuilder
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

  it.live("gives the same digest for the same tree, and another for another (INV-IMG-1)", () =>
    withBuilder(
      Effect.gen(function* () {
        const [one, two, other] = yield* Effect.all([
          built(app),
          built(app),
          built({ ...app, "server.js": "//" })
        ])
        assert.strictEqual(one.digest, two.digest)
        assert.notStrictEqual(one.digest, other.digest)
      })
    )
  )

  it.live("takes little time of its own", () =>
    withBuilder(
      Effect.gen(function* () {
        yield* built(app)
        const { durations } = yield* built(app)
        assert.isBelow(durations.totalMs, 300, JSON.stringify(durations))
      })
    )
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
      const inBuilder = <A, E>(effect: Effect.Effect<A, E, BuildService>) =>
        Effect.provide(effect, builderIn(folder), { local: true })
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

  it.live(
    "ends every process of a cancelled build, also those that left its group (INV-BLD-3, INV-HBL-2)",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const mark = `cancel-${process.pid}-${Math.trunc(performance.now())}`
        yield* Effect.provide(
          Effect.gen(function* () {
            const builds = yield* BuildService
            const script = `trap '' TERM; sleep 600.1 & setsid sleep 600.2 & echo ready ${mark}; sleep 600.3`
            const handle = yield* submitted({
              "starform.json": JSON.stringify({ build: script, processes: { web: "node x" } })
            })
            yield* Stream.runHead(
              Stream.filter(builds.logs(handle, 1), ({ text }) => text === `ready ${mark}`)
            )
            const processes = Effect.promise(() => markedProcesses(`${folder}/builder/${handle.buildId}`))
            assert.isAtLeast((yield* processes).length, 4)
            const waiting = yield* Effect.forkChild(Effect.flip(builds.await(handle)))
            yield* builds.cancel(handle)
            assert.deepStrictEqual(yield* processes, [])
            assert.strictEqual((yield* Fiber.join(waiting))._tag, "BuildCancelled")
            assert.strictEqual((yield* builds.status(handle))._tag, "Cancelled")
            assert.deepStrictEqual(
              yield* Effect.promise(() => Fs.readdir(join(folder, "builder", "work"))),
              []
            )
          }),
          builderIn(folder),
          { local: true }
        )
      })
  )

  it.live("ends what a step left running in the background before it packs (INV-HBL-2)", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* Effect.provide(
        Effect.gen(function* () {
          const handle = yield* submitted({
            "starform.json": JSON.stringify({
              build: "sleep 600.4 & setsid sleep 600.5 & echo done",
              processes: { web: "node x" }
            })
          })
          const startedAt = performance.now()
          yield* (yield* BuildService).await(handle)
          assert.isBelow(performance.now() - startedAt, 10_000)
          const left = yield* Effect.promise(() => markedProcesses(`${folder}/builder/${handle.buildId}`))
          assert.deepStrictEqual(left, [])
        }),
        builderIn(folder),
        { local: true }
      )
    })
  )

  it.live("ends processes and removes folders that a crashed builder left behind", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const work = join(folder, "builder", "work", "left.behind")
      yield* Effect.promise(() => Fs.mkdir(work, { recursive: true }))
      const orphan = spawn("sleep", ["600.6"], {
        env: { STARFORM_BUILD_MARK: `${folder}/builder/some-build` },
        stdio: "ignore",
        detached: true
      })
      const ended = new Promise<string | null>((resolve) => orphan.once("exit", (_, name) => resolve(name)))
      yield* Effect.provide(BuildService, builderIn(folder), { local: true })
      assert.strictEqual(yield* Effect.promise(() => ended), "SIGKILL")
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(folder, "builder", "work"))), [])
    })
  )

  it.live(
    "gives steps nothing of the platform's environment, a private home, and no privileges (INV-HBL-1, INV-HBL-3)",
    () =>
      withBuilder(
        Effect.gen(function* () {
          process.env["STARFORM_TEST_SECRET"] = "must-not-leak"
          const builds = yield* BuildService
          const handle = yield* submitted({
            "starform.json": JSON.stringify({
              build:
                "env; echo uid=$(id -u); cat /proc/self/environ | tr '\\0' '\\n'; ls -ld $HOME $TMPDIR .; nice",
              processes: { web: "node x" }
            })
          })
          yield* builds.await(handle)
          const texts = yield* logTexts(handle)
          delete process.env["STARFORM_TEST_SECRET"]
          const keys = new Set(texts.flatMap((text) => /^([A-Za-z_]+)=/.exec(text)?.[1] ?? []))
          const allowed =
            /^(PATH|HOME|TMPDIR|LANG|CI|FORCE_COLOR|NODE_ENV|npm_config_\w+|STARFORM_BUILD_MARK|PWD|OLDPWD|SHLVL|_|uid|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|HTTPS_PROXY|https_proxy)$/
          assert.deepStrictEqual(
            [...keys].filter((key) => !allowed.test(key)),
            []
          )
          assert.isFalse(texts.some((text) => text.includes("must-not-leak")))
          assert.isTrue(texts.includes("10"), "niceness")
          if (process.getuid?.() === 0) {
            const uid = Number(texts.find((text) => text.startsWith("uid="))?.slice(4))
            assert.isAtLeast(uid, 1_900_000)
            assert.strictEqual(texts.filter((text) => text.startsWith("drwx------")).length, 3)
          }
        })
      )
  )

  it.live("cannot read another workspace's build or the platform's files", (context) =>
    Effect.gen(function* () {
      if (process.getuid?.() !== 0) return context.skip("only root runs builds as users of their own")
      const folder = yield* temporaryFolder
      yield* Effect.promise(() => Fs.writeFile(join(folder, "secret"), "key", { mode: 0o600 }))
      yield* Effect.provide(
        Effect.gen(function* () {
          const builds = yield* BuildService
          const slow = yield* submitted({
            "starform.json": JSON.stringify({
              build: "pwd; echo ready; sleep 600",
              processes: { web: "node x" }
            })
          })
          const lines = yield* Stream.runCollect(
            builds.logs(slow, 1).pipe(Stream.takeUntil(({ text }) => text === "ready"))
          )
          const place = lines.map(({ text }) => text).find((text) => text.startsWith("/"))
          const attempts = [
            `ls ${place}`,
            `cat ${place}/starform.json`,
            `cat ${folder}/secret`,
            `ls ${folder}/builder/work`
          ]
          const spy = yield* submitted({
            "starform.json": JSON.stringify({
              build: attempts.map((attempt) => `${attempt} 2>/dev/null && echo LEAK`).join("; ") + "; true",
              processes: { web: "node x" }
            })
          })
          yield* builds.await(spy)
          assert.notInclude(yield* logTexts(spy), "LEAK")
          yield* builds.cancel(slow)
        }),
        builderIn(folder),
        { local: true }
      )
    })
  )

  it.live("runs one build of a workspace at a time and those of others beside it (INV-BLD-2)", () =>
    withBuilder(
      Effect.gen(function* () {
        const builds = yield* BuildService
        const slow = { "starform.json": JSON.stringify({ build: "sleep 600", processes: { web: "node x" } }) }
        const workspaceId = newWorkspace()
        const mine = yield* Effect.forEach([1, 2], () => submitted(slow, { workspaceId }))
        const theirs = yield* submitted(slow)
        const statuses = Effect.forEach([...mine, theirs], builds.status)
        yield* eventually(
          Effect.map(statuses, (all) => all.map(({ _tag }) => _tag).join() === "Running,Queued,Running"),
          () => "statuses"
        )
        const second = yield* builds.status(mine[1]!)
        assert.deepStrictEqual(second, { _tag: "Queued", position: 1 })
        yield* builds.cancel(mine[0]!)
        yield* eventually(
          Effect.map(builds.status(mine[1]!), ({ _tag }) => _tag === "Running"),
          () => "second build"
        )
        yield* Effect.forEach([mine[1]!, theirs], builds.cancel)
      })
    )
  )
})

describe("HostBuilder with npm", () => {
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
          assert.isBelow(two.durations.installMs, 100)
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
})

const markedProcesses = async (mark: string): Promise<ReadonlyArray<string>> => {
  const pids = (await Fs.readdir("/proc")).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await Fs.readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")
      return environment.includes(`STARFORM_BUILD_MARK=${mark}`) ? [pid] : []
    })
  )
  return found.flat()
}
