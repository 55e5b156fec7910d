/** A database of its own on the server that the test run started; dropped when the layer closes. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, Redacted } from "effect"
import { inject } from "vitest"
import * as JournalPostgres from "@starform/starbase/journal/JournalPostgres"
import * as JournalSchema from "@starform/starbase/journal/JournalSchema"

let next = 0

/** URL of a fresh, empty database. */
export const freshDatabase = Effect.gen(function* () {
  const server = new URL(inject("postgresUrl"))
  const name = `test_${process.pid}_${Date.now().toString(36)}_${next++}`
  const admin = PgClient.layer({ url: Redacted.make(server.href), maxConnections: 1 })
  const onServer = (statement: string) =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* sql.unsafe(statement)
    }).pipe(Effect.provide(admin, { local: true }), Effect.orDie)
  yield* Effect.acquireRelease(onServer(`CREATE DATABASE ${name}`), () =>
    onServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  )
  const url = new URL(server)
  url.pathname = `/${name}`
  return Redacted.make(url.href)
})

/** A client of a fresh database. */
export const layerClient = Layer.unwrap(
  Effect.map(freshDatabase, (url) => PgClient.layer({ url, maxConnections: 8 }))
)

/** The journal on a fresh database. */
export const layerJournal = JournalPostgres.layer.pipe(
  Layer.provideMerge(JournalSchema.layer),
  Layer.provideMerge(layerClient)
)
