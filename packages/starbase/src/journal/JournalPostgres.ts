/** Journal, outbox and read models on PostgreSQL. A group of commands is one statement, hence one transaction. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { SqlError } from "effect/sql/SqlError"
import * as Journal from "./Journal.ts"
import { defaults, type JournalSettings } from "./JournalSettings.ts"
import * as Outbox from "./Outbox.ts"
import * as GroupCommit from "./postgres/GroupCommit.ts"
import * as GroupLoad from "./postgres/GroupLoad.ts"
import * as OutboxPostgres from "./postgres/OutboxPostgres.ts"
import * as ReadModelsPostgres from "./postgres/ReadModelsPostgres.ts"
import * as ReadModels from "./ReadModels.ts"

const unavailable = (operation: string) => (cause: SqlError) =>
  new Journal.JournalUnavailable({ operation, cause })

const makeJournal = Effect.fnUntraced(function* (sql: PgClient.PgClient, settings: JournalSettings) {
  return Journal.Journal.of({
    load: yield* GroupLoad.make(sql, settings),

    append: yield* GroupCommit.make(sql, settings),

    recall: (key, requestId) =>
      sql<Journal.StoredReply>`
        SELECT payload_hash AS "payloadHash", reply FROM requests
        WHERE entity_type = ${key.type} AND entity_id = ${key.id} AND request_id = ${requestId}`.pipe(
        Effect.map((rows) => Option.fromNullishOr(rows[0])),
        Effect.mapError(unavailable("recall"))
      ),

    saveSnapshot: (key, snapshot) =>
      sql`
        INSERT INTO snapshots (entity_type, entity_id, sequence, state, at_ms)
        VALUES (${key.type}, ${key.id}, ${snapshot.sequence}, ${sql.json(snapshot.state)}, ${snapshot.atMs})
        ON CONFLICT (entity_type, entity_id) DO UPDATE
        SET sequence = excluded.sequence, state = excluded.state, at_ms = excluded.at_ms
        WHERE snapshots.sequence < excluded.sequence`.pipe(
        Effect.asVoid,
        Effect.mapError(unavailable("saveSnapshot"))
      ),

    read: (key, after, limit) =>
      sql<Journal.StoredEvent>`
        SELECT sequence, event, actor, request_id AS "requestId", at_ms::float8 AS "atMs" FROM journal
        WHERE entity_type = ${key.type} AND entity_id = ${key.id} AND sequence > ${after}
        ORDER BY sequence LIMIT ${limit}`.pipe(Effect.mapError(unavailable("read")))
  })
})

const make = Effect.fnUntraced(function* (settings: JournalSettings) {
  const sql = yield* PgClient.PgClient
  return Context.make(Journal.Journal, yield* makeJournal(sql, settings)).pipe(
    Context.add(Outbox.Outbox, OutboxPostgres.make(sql)),
    Context.add(ReadModels.ReadModels, ReadModelsPostgres.make(sql))
  )
})

/** Needs the tables of `JournalSchema`. */
export const layerWith = (
  settings: JournalSettings
): Layer.Layer<Journal.Journal | Outbox.Outbox | ReadModels.ReadModels, never, PgClient.PgClient> =>
  Layer.effectContext(make(settings))

export const layer = layerWith(defaults)
