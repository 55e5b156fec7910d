/**
 * A real PostgreSQL server of our own, for as long as a scope is open. Used by Launchpad and by tests; a deployment
 * on more than one machine gives Starbase the URL of a server that somebody operates.
 */
import { createHash, randomBytes } from "node:crypto"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { host } from "./internal/loopback.ts"
import * as PostgresBinaries from "./PostgresBinaries.ts"
import {
  DataDirectoryUnusable,
  type PostgresStartError,
  type ServerEnded,
  StartFailed
} from "./PostgresErrors.ts"
import * as PostgresHome from "./PostgresHome.ts"
import * as PostgresServer from "./PostgresServer.ts"
import * as PostgresUser from "./PostgresUser.ts"

/** The superuser that the platform logs in as, and its database. */
const username = "starform"
const database = "starform"

export class EmbeddedPostgres extends Context.Service<
  EmbeddedPostgres,
  {
    /** `postgres://` URL of the platform's database, password included. */
    readonly url: Redacted.Redacted
    readonly host: string
    readonly port: number
    readonly username: string
    readonly password: Redacted.Redacted
    readonly database: string
    readonly pid: number
    /** Operating system user that the server runs as. */
    readonly runsAs: string
    /** Folder of data and log: the given directory unless that user cannot enter it. */
    readonly home: string
    /** True when the data is elsewhere than in the given directory: a person should be told where. */
    readonly relocated: boolean
    /** Folder that the server's programs were copied to, when that user cannot execute them in place. */
    readonly binariesCopiedTo: string | undefined
    /** Never succeeds: fails when the server ends although its scope is open. */
    readonly ended: Effect.Effect<never, ServerEnded>
  }
>()("@starform/launchpad/postgres/EmbeddedPostgres") {}

export interface Options extends Partial<PostgresServer.PostgresServerOptions> {
  /** Created if missing. One living process may use it at a time. */
  readonly directory: string
  /** For data and programs that the server's user cannot reach otherwise; see `fallbackDirectory`. */
  readonly fallbackDirectory: string
  /** Made and kept in the directory when not given. Fixed once the data is initialised. */
  readonly password?: Redacted.Redacted | undefined
}

export const defaults: PostgresServer.PostgresServerOptions = {
  port: 0,
  durable: true,
  connectionsMax: 100,
  sharedBuffersMebibytes: 64,
  startTimeout: "60 seconds",
  stopPatience: "10 seconds",
  logBytesMax: 8 * 1024 * 1024
}

/** A folder of this project that every user of the machine can enter; only root can write it. */
export const fallbackDirectory = (project: string): string =>
  join("/var/lib/starform", createHash("sha256").update(resolve(project)).digest("hex").slice(0, 16))

/** The password that the directory keeps, made on first use. */
const keptPassword = Effect.fnUntraced(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const file = join(directory, "password")
  if (!(yield* fs.exists(file))) {
    yield* fs.writeFileString(file, randomBytes(24).toString("hex"), { flag: "wx", mode: 0o600 })
  }
  return Redacted.make(yield* fs.readFileString(file))
})

const urlOf = (port: number, password: Redacted.Redacted, name: string): Redacted.Redacted =>
  Redacted.make(
    `postgres://${username}:${encodeURIComponent(Redacted.value(password))}@${host}:${port}/${name}`
  )

/** Logs in once and creates the platform's database if it is missing. */
const openDatabase = Effect.fnUntraced(function* (port: number, password: Redacted.Redacted) {
  const failed = (step: "login" | "database") => (cause: { readonly message: string }) =>
    new StartFailed({ step, reason: cause.message, lastLines: [], cause })
  const connection = yield* PgConnection.make({ url: urlOf(port, password, "postgres") }).pipe(
    Effect.mapError(failed("login"))
  )
  const create = Effect.gen(function* () {
    const found = yield* connection.query("SELECT 1 FROM pg_database WHERE datname = $1", [database])
    if (found.rowCount === 0) yield* connection.query(`CREATE DATABASE ${database}`)
  })
  yield* Effect.mapError(create, failed("database"))
}, Effect.scoped)

/**
 * Starts a server; it stops when the scope closes.
 *
 * @errors see `PostgresStartError`; each message says what a person can do or look at.
 */
export const make = Effect.fn("EmbeddedPostgres.make")(function* (
  given: Options
): Effect.fn.Return<EmbeddedPostgres["Service"], PostgresStartError, FileSystem.FileSystem | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const options = { ...defaults, ...given }
  const unusable = (cause: { readonly message: string }) =>
    new DataDirectoryUnusable({ directory: given.directory, reason: cause.message, cause })
  const prepared = yield* Effect.gen(function* () {
    yield* fs.makeDirectory(given.directory, { recursive: true })
    const directory = yield* fs.realPath(given.directory)
    yield* PostgresHome.claim(directory)
    const user = yield* PostgresUser.current
    if (user.switched) yield* fs.chmod(directory, 0o711)
    const binaries = yield* PostgresBinaries.resolve(user, given.fallbackDirectory)
    const home = yield* PostgresHome.settle(directory, given.fallbackDirectory, user)
    yield* PostgresHome.stopOrphan(join(home, "data"), options.stopPatience)
    const password = given.password ?? (yield* keptPassword(directory))
    yield* PostgresHome.initialise(home, binaries, user, {
      superuser: username,
      password,
      durable: options.durable
    })
    return { directory, user, binaries, home, password }
  }).pipe(Effect.catchTag("PlatformError", (cause) => Effect.fail(unusable(cause))))
  const { directory, user, binaries, home, password } = prepared
  const server = yield* PostgresServer.start(home, binaries, user, options).pipe(
    Effect.catchTag("PlatformError", (cause) => Effect.fail(unusable(cause)))
  )
  yield* openDatabase(server.port, password)
  return {
    url: urlOf(server.port, password, database),
    host,
    port: server.port,
    username,
    password,
    database,
    pid: server.pid,
    runsAs: user.name,
    home,
    relocated: home !== directory,
    binariesCopiedTo: binaries.copiedTo,
    ended: server.ended
  }
})

const testPrefix = "starform-postgres-"

/** Removes what test runs that were killed left in the temporary folder, servers included. */
const sweep = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  for (const name of yield* fs.readDirectory(folder)) {
    if (!name.startsWith(testPrefix)) continue
    const directory = join(folder, name)
    if (!(yield* fs.exists(join(directory, "owner.json"))) || (yield* PostgresHome.isClaimed(directory)))
      continue
    yield* PostgresHome.discard(directory, defaults.stopPatience).pipe(
      Effect.catch((cause) => Effect.logWarning("a left-over test server stays", directory, cause.message))
    )
  }
})

/** An empty server in a temporary directory, on a port that the system chooses, not durable; all gone at the end. */
export const layerTest: Layer.Layer<EmbeddedPostgres, PostgresStartError, FileSystem.FileSystem> =
  Layer.effect(EmbeddedPostgres)(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.realPath(tmpdir())
      yield* sweep(folder)
      const directory = yield* Effect.acquireRelease(
        fs.makeTempDirectory({ directory: folder, prefix: testPrefix }),
        (directory) => Effect.orDie(PostgresHome.discard(directory, defaults.stopPatience))
      )
      return yield* make({
        directory,
        fallbackDirectory: fallbackDirectory(resolve(import.meta.dirname, "../../../..")),
        durable: false,
        connectionsMax: 200
      })
    }).pipe(
      Effect.catchTag("PlatformError", (cause) =>
        Effect.fail(new DataDirectoryUnusable({ directory: tmpdir(), reason: cause.message, cause }))
      )
    )
  )
