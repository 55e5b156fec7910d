/** The index of build logs on PostgreSQL: readers in any process are woken by NOTIFY, and look by themselves every second. */
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { type BuildLogChunk, BuildLogIndex, BuildLogUnavailable, ChunkTaken } from "./BuildLogIndex.ts"
import * as Schedules from "../Schedules.ts"
import { makeWakeups } from "./internal/wakeups.ts"

/** The payload of a notification is the build id. */
const channel = "build_log"

export interface IndexSettings {
  /** How long a lost notification can delay a reader. */
  readonly pollInterval: Duration.Input
}

export const defaults: IndexSettings = { pollInterval: "1 second" }

/** Creates the table unless it is there; for a migration or a start. Safe to run from many processes at once. */
export const buildLogSchema: Effect.Effect<void, SqlError, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`SELECT pg_advisory_xact_lock(hashtext('build_log_chunks'))`
  yield* sql`CREATE TABLE IF NOT EXISTS build_log_chunks (
    build_id text NOT NULL,
    number integer NOT NULL,
    digest text NOT NULL,
    size_bytes integer NOT NULL,
    at timestamptz NOT NULL,
    is_last boolean NOT NULL,
    PRIMARY KEY (build_id, number)
  )`
}).pipe((create) => Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(create)))

const unavailable = (operation: string) => (cause: SqlError) => new BuildLogUnavailable({ operation, cause })

const make = Effect.fnUntraced(function* (settings: IndexSettings) {
  const sql = yield* PgClient.PgClient
  const wakeups = makeWakeups(settings.pollInterval)

  const listen = Effect.scoped(
    Effect.gen(function* () {
      const notifications = yield* sql.listen(channel)
      return yield* Effect.forever(
        Effect.map(Queue.take(notifications), ({ payload }) => wakeups.wake(payload ?? ""))
      )
    })
  )
  yield* listen.pipe(
    Effect.tapError((error) => Effect.logDebug("build log: no notifications, polling", error)),
    Effect.retry(Schedules.storeAway),
    Effect.forkScoped
  )

  const append: BuildLogIndex["Service"]["append"] = Effect.fnUntraced(function* (
    buildId,
    { number, digest, sizeBytes, atMs, isLast }
  ) {
    const rows = yield* sql<{ written: boolean }>`
        WITH added AS (
          INSERT INTO build_log_chunks (build_id, number, digest, size_bytes, at, is_last)
          VALUES (${buildId}, ${number}, ${digest}, ${sizeBytes}, to_timestamp(${atMs}::float8 / 1000), ${isLast})
          ON CONFLICT (build_id, number) DO NOTHING RETURNING 1)
        SELECT EXISTS (SELECT 1 FROM added)
          OR EXISTS (SELECT 1 FROM build_log_chunks
            WHERE build_id = ${buildId} AND number = ${number} AND digest = ${digest}) AS written,
          pg_notify(${channel}, ${buildId}::text)`.pipe(Effect.mapError(unavailable("append")))
    if (rows[0]?.written !== true) return yield* new ChunkTaken({ buildId, number })
  })

  return BuildLogIndex.of({
    append,
    list: (buildId, from) =>
      sql<BuildLogChunk>`
        SELECT number, digest, size_bytes AS "sizeBytes",
          round(extract(epoch FROM at) * 1000)::float8 AS "atMs", is_last AS "isLast"
        FROM build_log_chunks WHERE build_id = ${buildId} AND number >= ${from} ORDER BY number`.pipe(
        Effect.mapError(unavailable("list"))
      ),
    newest: (buildId) =>
      sql<{ newest: number }>`
        SELECT coalesce(max(number), 0) AS newest FROM build_log_chunks WHERE build_id = ${buildId}`.pipe(
        Effect.map((rows) => rows[0]?.newest ?? 0),
        Effect.mapError(unavailable("newest"))
      ),
    watch: wakeups.watch
  })
})

/** Needs the table of `buildLogSchema`. */
export const layer = (
  settings: Partial<IndexSettings> = {}
): Layer.Layer<BuildLogIndex, never, PgClient.PgClient> =>
  Layer.effect(BuildLogIndex, make({ ...defaults, ...settings }))
