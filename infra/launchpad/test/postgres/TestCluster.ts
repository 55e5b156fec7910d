/** What the tests of the embedded server share. */
import { chmod, mkdtemp, readdir, readFile, realpath, rm } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { Effect, Redacted } from "effect"
import * as EmbeddedPostgres from "@starform/launchpad/postgres/EmbeddedPostgres"

export const password = Redacted.make("correct horse / battery?staple")

const makeFolder = async () => {
  const path = await realpath(await mkdtemp(join(tmpdir(), "starform-pgtest-")))
  await chmod(path, 0o755)
  return path
}

const removeFolder = (path: string) => rm(path, { recursive: true, force: true })

/** An empty folder that every user can enter, removed when the scope closes. */
export const folder = Effect.acquireRelease(Effect.promise(makeFolder), (path) =>
  Effect.promise(() => removeFolder(path))
)

/** Starts a server on `<folder>/postgres` with settings that suit a test. */
export const start = (path: string, options: Partial<EmbeddedPostgres.Options> = {}) =>
  EmbeddedPostgres.make({
    directory: join(path, "postgres"),
    fallbackDirectory: join(path, "fallback"),
    password,
    durable: false,
    ...options
  })

/** Rows of one statement, as text, over a connection of its own. */
export const query = (url: Redacted.Redacted, statement: string) =>
  Effect.gen(function* () {
    const connection = yield* PgConnection.make({ url })
    return yield* connection.queryValues(statement, [])
  }).pipe(Effect.scoped)

/** Whether a TCP connection to the address succeeds. */
export const isListening = (host: string, port: number) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect(port, host)
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
  })

/** Ids of living processes whose command line has this word or path in it. */
export const processesWith = (text: string) =>
  Effect.promise(async () => {
    const found: Array<number> = []
    for (const name of await readdir("/proc")) {
      if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
      const words = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")
      if (words.includes(text)) found.push(Number(name))
    }
    return found
  })

/** Ids of the living children of a process. */
export const childrenOf = (pid: number) =>
  Effect.promise(async () => {
    const found: Array<number> = []
    for (const name of await readdir("/proc")) {
      if (!/^\d+$/.test(name)) continue
      const status = await readFile(`/proc/${name}/status`, "utf8").catch(() => "")
      if (new RegExp(`^PPid:\\s+${pid}$`, "m").test(status)) found.push(Number(name))
    }
    return found
  })
