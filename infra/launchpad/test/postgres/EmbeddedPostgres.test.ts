import { type ChildProcess, spawn } from "node:child_process"
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { networkInterfaces, tmpdir } from "node:os"
import { join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Redacted, References, Scope } from "effect"
import * as EmbeddedPostgres from "@starform/launchpad/postgres/EmbeddedPostgres"
import { childrenOf, folder, isListening, password, processesWith } from "./TestCluster.ts"
import { query, start } from "./TestCluster.ts"

const isRoot = process.getuid?.() === 0

const live = (name: string, body: Effect.Effect<void, unknown, Scope.Scope | NodeServices.NodeServices>) =>
  it.live(name, () =>
    body.pipe(
      Effect.scoped,
      Effect.provide(NodeServices.layer),
      Effect.provideService(References.MinimumLogLevel, "None")
    )
  )

/** Polls until true; the message says what was waited for. */
const eventually = (what: string, condition: Effect.Effect<boolean>) =>
  Effect.gen(function* () {
    for (let attempt = 0; attempt < 200; attempt++) {
      if (yield* condition) return
      yield* Effect.sleep("25 millis")
    }
    assert.fail(`${what} did not happen within 5 s`)
  })

/** First line of a process's output. */
const firstLine = (child: ChildProcess) =>
  Effect.callback<string>((resume) => {
    let text = ""
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString()
      const end = text.indexOf("\n")
      if (end >= 0) resume(Effect.succeed(text.slice(0, end)))
    })
    child.once("exit", (code) => resume(Effect.die(new Error(`ended with ${code} after: ${text}`))))
  })

/** A process that lives until the scope closes. */
const spawned = (
  program: string,
  args: ReadonlyArray<string>,
  options: { uid?: number; gid?: number } = {}
) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], ...options })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const taken = Effect.acquireRelease(
  Effect.callback<{ port: number; close: () => void }>((resume) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(Effect.succeed({ port, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe("EmbeddedPostgres", { concurrent: true }, () => {
  describe("start", () => {
    live(
      "initialises a UTF-8 cluster in an empty directory and answers a query in the platform's database",
      Effect.gen(function* () {
        const path = yield* folder
        const server = yield* start(path)
        const rows = yield* query(
          server.url,
          "SELECT current_database(), current_user, getdatabaseencoding(), datcollate, current_setting('server_version_num')::int / 10000 FROM pg_database WHERE datname = current_database()"
        )
        assert.deepStrictEqual(rows, [["starform", "starform", "UTF8", "C.UTF-8", 18]])
        assert.strictEqual(server.home, join(path, "postgres"))
        assert.isFalse(server.relocated)
        assert.deepStrictEqual((yield* Effect.promise(() => readdir(server.home))).toSorted(), [
          "data",
          "owner.json",
          "server.log"
        ])
        const mode = (yield* Effect.promise(() => stat(join(server.home, "data")))).mode & 0o777
        assert.strictEqual(mode, 0o700)
      })
    )

    live(
      "listens on 127.0.0.1 alone, has no Unix socket, and refuses a wrong password (INV-PG-4)",
      Effect.gen(function* () {
        const server = yield* start(yield* folder)
        const own = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
        for (const { address, family } of own) {
          if (address === "127.0.0.1" || family !== "IPv4") continue
          assert.isFalse(yield* isListening(address, server.port), `listens on ${address}`)
        }
        const rows = yield* query(
          server.url,
          "SELECT current_setting('unix_socket_directories'), current_setting('listen_addresses'), (SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules)"
        )
        assert.deepStrictEqual(rows, [["", "127.0.0.1", "scram-sha-256"]])
        const wrong = new URL(Redacted.value(server.url))
        wrong.password = "wrong"
        const error = yield* Effect.flip(query(Redacted.make(wrong.href), "SELECT 1"))
        assert.strictEqual(error.reason._tag, "AuthenticationError")
      })
    )

    live(
      "makes a password when none is given and keeps it, readable by its owner only",
      Effect.gen(function* () {
        const directory = join(yield* folder, "postgres")
        const once = EmbeddedPostgres.make({
          directory,
          fallbackDirectory: `${directory}-fallback`,
          durable: false
        })
        const first = yield* Effect.scoped(once)
        const second = yield* Effect.scoped(once)
        assert.strictEqual(Redacted.value(first.password), Redacted.value(second.password))
        assert.isAtLeast(Redacted.value(first.password).length, 32)
        const info = yield* Effect.promise(() => stat(join(directory, "password")))
        assert.strictEqual(info.mode & 0o777, 0o600)
      })
    )

    live(
      "names the port when another process listens on it",
      Effect.gen(function* () {
        const { port } = yield* taken
        const error = yield* Effect.flip(start(yield* folder, { port }))
        assert.strictEqual(error._tag, "PortTaken")
        assert.include(error.message, String(port))
      })
    )

    live(
      "shows the server's own last words when it cannot start",
      Effect.gen(function* () {
        const path = yield* folder
        yield* Effect.scoped(start(path))
        yield* Effect.promise(() =>
          writeFile(join(path, "postgres", "data", "postgresql.conf"), "no_such_setting = 1\n")
        )
        const error = yield* Effect.flip(start(path))
        assert.strictEqual(error._tag, "StartFailed")
        assert.include(error.message, "no_such_setting")
      })
    )

    live(
      "refuses data of another major version, and a folder that is no cluster, and leaves both as they are",
      Effect.gen(function* () {
        const path = yield* folder
        const version = join(path, "postgres", "data", "PG_VERSION")
        yield* Effect.promise(() => mkdir(join(path, "postgres", "data"), { recursive: true }))
        yield* Effect.promise(() => writeFile(version, "15\n"))
        const other = yield* Effect.flip(start(path))
        assert.strictEqual(other._tag, "DataDirectoryUnusable")
        assert.include(other.message, "PostgreSQL 15")
        assert.strictEqual(yield* Effect.promise(() => readFile(version, "utf8")), "15\n")

        const foreign = yield* folder
        const note = join(foreign, "postgres", "data", "important.txt")
        yield* Effect.promise(() => mkdir(join(foreign, "postgres", "data"), { recursive: true }))
        yield* Effect.promise(() => writeFile(note, "kept"))
        const none = yield* Effect.flip(start(foreign))
        assert.strictEqual(none._tag, "DataDirectoryUnusable")
        assert.strictEqual(yield* Effect.promise(() => readFile(note, "utf8")), "kept")
      })
    )

    live(
      "leaves no process and no half cluster when it is interrupted while initialising (INV-PG-3)",
      Effect.gen(function* () {
        const path = yield* folder
        const fiber = yield* Effect.forkChild(Effect.scoped(start(path)))
        yield* eventually(
          "initdb",
          Effect.map(processesWith(join(path, "postgres", "data.partial-")), (pids) => pids.length > 0)
        )
        yield* Fiber.interrupt(fiber)
        yield* eventually(
          "the end of initdb",
          Effect.map(processesWith(path), (pids) => pids.length === 0)
        )
        assert.notInclude(yield* Effect.promise(() => readdir(join(path, "postgres"))), "data")
        const server = yield* start(path)
        assert.deepStrictEqual(yield* query(server.url, "SELECT 1"), [[1]])
        const names = yield* Effect.promise(() => readdir(join(path, "postgres")))
        assert.deepStrictEqual(
          names.filter((name) => name.includes("partial")),
          []
        )
      })
    )
  })

  describe("stop", () => {
    live(
      "keeps committed rows for the next start, and leaves no process and no lock",
      Effect.gen(function* () {
        const path = yield* folder
        const pid = yield* start(path).pipe(
          Effect.tap((server) => query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")),
          Effect.map((server) => server.pid),
          Effect.scoped
        )
        assert.notInclude(yield* processesWith(path), pid)
        assert.deepStrictEqual((yield* Effect.promise(() => readdir(join(path, "postgres")))).toSorted(), [
          "data",
          "server.log"
        ])
        const again = yield* start(path)
        assert.deepStrictEqual(yield* query(again.url, "SELECT answer FROM kept"), [[42]])
      })
    )

    live(
      "ends a server that does not react",
      Effect.gen(function* () {
        const path = yield* folder
        const scope = yield* Scope.make()
        const server = yield* start(path, { stopPatience: "150 millis" }).pipe(Scope.provide(scope))
        process.kill(server.pid, "SIGSTOP")
        yield* Scope.close(scope, Exit.void)
        yield* eventually(
          "the server's end",
          Effect.map(processesWith(path), (pids) => pids.length === 0)
        )
      })
    )
  })

  describe("crash", () => {
    live(
      "reports a server that ends by itself, and starts again on the lock file that it left",
      Effect.gen(function* () {
        const path = yield* folder
        const scope = yield* Scope.make()
        const server = yield* start(path).pipe(Scope.provide(scope))
        process.kill(server.pid, "SIGKILL")
        const error = yield* Effect.flip(server.ended)
        assert.strictEqual(error.pid, server.pid)
        assert.include(error.message, "SIGKILL")
        yield* Scope.close(scope, Exit.void)
        assert.include(yield* Effect.promise(() => readdir(join(path, "postgres", "data"))), "postmaster.pid")
        const again = yield* start(path)
        assert.deepStrictEqual(yield* query(again.url, "SELECT 1"), [[1]])
      })
    )

    live(
      "waits for processes of a killed server that still hold its shared memory",
      Effect.gen(function* () {
        const path = yield* folder
        const scope = yield* Scope.make()
        const server = yield* start(path).pipe(Scope.provide(scope))
        const [remnant] = yield* childrenOf(server.pid)
        assert.isDefined(remnant)
        process.kill(remnant ?? 0, "SIGSTOP")
        process.kill(server.pid, "SIGKILL")
        yield* Effect.flip(server.ended)
        yield* Scope.close(scope, Exit.void)
        const fiber = yield* Effect.forkChild(Effect.scoped(start(path)))
        yield* eventually(
          "the refusal of the first attempt",
          Effect.promise(async () =>
            (await readFile(join(path, "postgres", "server.log"), "utf8")).includes("shared memory block")
          )
        )
        process.kill(remnant ?? 0, "SIGCONT")
        yield* Fiber.join(fiber)
      })
    )

    live(
      "takes over from a launcher that was killed: its server is stopped, its rows are there",
      Effect.gen(function* () {
        const path = yield* folder
        const directory = join(path, "postgres")
        const launcher = yield* spawned(process.execPath, [
          join(import.meta.dirname, "HoldServer.process.ts"),
          directory
        ])
        const orphan = Number(yield* firstLine(launcher))
        const refused = yield* Effect.flip(start(path))
        assert.strictEqual(refused._tag, "DataDirectoryInUse")
        assert.include(refused.message, String(launcher.pid))

        launcher.kill("SIGKILL")
        yield* eventually(
          "the launcher's end",
          Effect.sync(() => launcher.signalCode !== null)
        )
        assert.include(yield* processesWith(directory), orphan)
        const kept = yield* Effect.promise(() => readFile(join(directory, "password"), "utf8"))
        const server = yield* start(path, { password: Redacted.make(kept) })
        assert.notStrictEqual(server.pid, orphan)
        assert.notInclude(yield* processesWith(directory), orphan)
        assert.deepStrictEqual(yield* query(server.url, "SELECT 1"), [[1]])
      })
    )

    live(
      "never signals a process that merely has the id in the lock file (INV-PG-2)",
      Effect.gen(function* () {
        const path = yield* folder
        yield* Effect.scoped(start(path))
        const owner = yield* Effect.promise(() => stat(join(path, "postgres", "data")))
        const bystander = yield* spawned("sleep", ["60"], isRoot ? { uid: owner.uid, gid: owner.gid } : {})
        yield* Effect.promise(() =>
          writeFile(join(path, "postgres", "data", "postmaster.pid"), `${bystander.pid}\n`)
        )
        const server = yield* start(path)
        assert.deepStrictEqual(yield* query(server.url, "SELECT 1"), [[1]])
        assert.isNull(bystander.signalCode)
        assert.isNull(bystander.exitCode)
      })
    )

    live(
      "refuses a second server of the same launcher on the directory (INV-PG-1)",
      Effect.gen(function* () {
        const path = yield* folder
        yield* start(path)
        const error = yield* Effect.flip(start(path))
        assert.strictEqual(error._tag, "DataDirectoryInUse")
        assert.include(error.message, String(process.pid))
      })
    )
  })

  describe("as root", () => {
    it.live.skipIf(!isRoot)("runs as an unprivileged user that exists", () =>
      Effect.gen(function* () {
        const server = yield* start(yield* folder)
        const status = yield* Effect.promise(() => readFile(`/proc/${server.pid}/status`, "utf8"))
        assert.notMatch(status, /^Uid:\s+0/m)
        assert.match(status, /^Groups:\s*$/m)
        assert.include(["postgres", "nobody"], server.runsAs)
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
    )

    it.live.skipIf(!isRoot)(
      "moves its home when that user cannot enter the directory, and finds it again",
      () =>
        Effect.gen(function* () {
          const path = yield* folder
          const secluded = join(path, "secluded")
          yield* Effect.promise(() => mkdir(secluded, { mode: 0o700 }))
          const directory = join(secluded, "postgres")
          const home = yield* start(path, { directory }).pipe(
            Effect.tap((server) => query(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")),
            Effect.map((server) => server.home),
            Effect.scoped
          )
          assert.isTrue(home.startsWith(join(path, "fallback")), home)
          const again = yield* start(path, { directory })
          assert.isTrue(again.relocated)
          assert.strictEqual(again.home, home)
          assert.deepStrictEqual(yield* query(again.url, "SELECT answer FROM kept"), [[42]])
        }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
    )

    it.live.skipIf(!isRoot)("says so when data that exists can no longer be entered", () =>
      Effect.gen(function* () {
        const path = yield* folder
        yield* Effect.scoped(start(path))
        yield* Effect.promise(() => chmod(path, 0o700))
        const error = yield* Effect.flip(start(path))
        assert.strictEqual(error._tag, "DataDirectoryUnusable")
        assert.include(error.message, "can no longer enter it")
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
    )
  })

  describe("layerTest", () => {
    live(
      "leaves nothing, and clears away what a killed run left",
      Effect.gen(function* () {
        const left = join(tmpdir(), `starform-postgres-left-${process.pid}`)
        yield* Effect.promise(() => mkdir(left))
        yield* Effect.promise(() => writeFile(join(left, "owner.json"), `{"pid":1,"startMark":"gone"}`))
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(EmbeddedPostgres.layerTest, scope)
        const server = Context.get(context, EmbeddedPostgres.EmbeddedPostgres)
        assert.deepStrictEqual(yield* query(server.url, "SHOW fsync"), [["off"]])
        assert.notStrictEqual(Redacted.value(server.password), Redacted.value(password))
        yield* Scope.close(scope, Exit.void)
        const names = yield* Effect.promise(() => readdir(tmpdir()))
        assert.notInclude(names, `starform-postgres-left-${process.pid}`)
        assert.isFalse(
          yield* Effect.promise(() =>
            stat(server.home).then(
              () => true,
              () => false
            )
          )
        )
        assert.deepStrictEqual(yield* processesWith(server.home), [])
      })
    )
  })
})
