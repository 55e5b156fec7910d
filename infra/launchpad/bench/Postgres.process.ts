/** A durable PostgreSQL server for one benchmark, in a temporary folder; gone with it. */
import { mkdtempSync, realpathSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { NodeServices } from "@effect/platform-node"
import { Effect, ManagedRuntime, Redacted, Layer } from "effect"
import * as EmbeddedPostgres from "@starform/launchpad/postgres/EmbeddedPostgres"
import * as PostgresHome from "@starform/launchpad/postgres/PostgresHome"
import { serve } from "../../../bench/program.ts"

/** Under this name the next run of the tests sweeps up what a killed benchmark left. */
const directory = mkdtempSync(join(realpathSync(tmpdir()), "starform-postgres-"))

const layer = Layer.effect(
  EmbeddedPostgres.EmbeddedPostgres,
  Effect.gen(function* () {
    yield* Effect.addFinalizer(() => Effect.ignore(PostgresHome.discard(directory, "10 seconds")))
    return yield* EmbeddedPostgres.make({
      directory,
      fallbackDirectory: EmbeddedPostgres.fallbackDirectory(resolve(import.meta.dirname, "../../..")),
      durable: true,
      connectionsMax: 200
    })
  })
).pipe(Layer.provideMerge(NodeServices.layer))

const runtime = ManagedRuntime.make(layer)
const server = await runtime.runPromise(EmbeddedPostgres.EmbeddedPostgres)

let databases = 0

/** The URL of a fresh, empty database. */
const database = Effect.gen(function* () {
  const name = `bench_${++databases}`
  const connection = yield* PgConnection.make({ url: server.url })
  yield* connection.query(`CREATE DATABASE ${name}`)
  const url = new URL(Redacted.value(server.url))
  url.pathname = `/${name}`
  return url.href
}).pipe(Effect.scoped)

serve({ database: () => runtime.runPromise(database) }, () => runtime.dispose())
