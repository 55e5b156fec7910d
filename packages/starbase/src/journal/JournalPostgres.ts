/** Journal, outbox and read models on PostgreSQL. One command is one statement, hence one transaction and one round trip. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type { SqlError } from "effect/sql/SqlError"
import * as Journal from "./Journal.ts"
import * as Outbox from "./Outbox.ts"
import * as ReadModels from "./ReadModels.ts"

/** NOTIFY channel that tells the relay about new rows. */
const channel = "starform_outbox"

const unavailable = (operation: string) => (cause: SqlError) =>
  new Journal.JournalUnavailable({ operation, cause })

const appendStatement = `
WITH input AS (SELECT $1::text AS entity_type, $2::text AS entity_id, $3::integer AS after, $4::text AS actor,
    $5::text AS request_id, $6::bigint AS at_ms, $7::jsonb AS body),
  appended AS (
    INSERT INTO journal (entity_type, entity_id, sequence, event, actor, request_id, at_ms)
    SELECT entity_type, entity_id, after + e.n, e.value, actor, request_id, at_ms
    FROM input, jsonb_array_elements(body->'events') WITH ORDINALITY AS e(value, n)),
  replied AS (
    INSERT INTO requests (entity_type, entity_id, request_id, payload_hash, reply, sequence, at_ms)
    SELECT entity_type, entity_id, request_id, body->'reply'->>'payloadHash', body->'reply'->'reply',
      after + jsonb_array_length(body->'events'), at_ms
    FROM input WHERE jsonb_typeof(body->'reply') = 'object'),
  caused AS (
    INSERT INTO outbox (entity_type, entity_id, sequence, position, effect)
    SELECT entity_type, entity_id, after + jsonb_array_length(body->'events'), e.n, e.value
    FROM input, jsonb_array_elements(body->'effects') WITH ORDINALITY AS e(value, n)
    RETURNING 1),
  released AS (
    DELETE FROM names USING input, jsonb_array_elements(body->'release') AS r
    WHERE names.kind = r->>'kind' AND names.name = r->>'name'
      AND names.owner_type = input.entity_type AND names.owner_id = input.entity_id),
  reserved AS (
    INSERT INTO names (kind, name, owner_type, owner_id)
    SELECT r->>'kind', r->>'name', entity_type, entity_id
    FROM input, jsonb_array_elements(body->'reserve') AS r),
  removed AS (
    DELETE FROM read_models USING input, jsonb_array_elements(body->'rows') AS r
    WHERE read_models.model = r->>'model' AND read_models.key = r->>'key' AND jsonb_typeof(r->'row') = 'null'),
  projected AS (
    INSERT INTO read_models (model, key, parent, entity_type, entity_id, row)
    SELECT r->>'model', r->>'key', r->>'parent', entity_type, entity_id, r->'row'
    FROM input, jsonb_array_elements(body->'rows') AS r WHERE jsonb_typeof(r->'row') <> 'null'
    ON CONFLICT (model, key) DO UPDATE SET parent = excluded.parent, entity_type = excluded.entity_type,
      entity_id = excluded.entity_id, row = excluded.row)
SELECT pg_notify('${channel}', '') FROM (SELECT 1 FROM caused LIMIT 1) AS any_caused`

const makeJournal = (sql: PgClient.PgClient): Journal.Journal["Service"] => ({
  load: Effect.fnUntraced(
    function* (key) {
      const snapshots = yield* sql<Journal.StoredSnapshot>`
        SELECT sequence, state, at_ms::float8 AS "atMs" FROM snapshots
        WHERE entity_type = ${key.type} AND entity_id = ${key.id}`
      const snapshot = Option.fromNullishOr(snapshots[0])
      const after = Option.match(snapshot, { onNone: () => 0, onSome: (stored) => stored.sequence })
      const events = yield* sql<Journal.StoredEvent>`
        SELECT sequence, event, actor, request_id AS "requestId", at_ms::float8 AS "atMs" FROM journal
        WHERE entity_type = ${key.type} AND entity_id = ${key.id} AND sequence > ${after} ORDER BY sequence`
      return { snapshot, events }
    },
    Effect.mapError(unavailable("load"))
  ),

  append: (key, append) => {
    const body = JSON.stringify({
      events: append.events,
      reply: append.reply,
      effects: append.effects,
      reserve: append.reserve,
      release: append.release,
      rows: append.rows
    })
    return sql
      .unsafe(appendStatement, [
        key.type,
        key.id,
        append.after,
        append.actor,
        append.requestId,
        append.atMs,
        body
      ])
      .pipe(
        Effect.asVoid,
        Effect.uninterruptible,
        Effect.catch(
          (error): Effect.Effect<void, Journal.Fenced | Journal.NameHeld | Journal.JournalUnavailable> => {
            const reason = error.reason
            if (reason._tag !== "UniqueViolation") return Effect.fail(unavailable("append")(error))
            return reason.constraint === "names_pkey"
              ? heldName(sql, key, append.reserve)
              : Effect.fail(new Journal.Fenced(key))
          }
        )
      )
  },

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

/** Which of the wanted names another entity holds: the statement's error names the constraint only. */
const heldName = (
  sql: PgClient.PgClient,
  key: Journal.EntityKey,
  wanted: ReadonlyArray<Journal.ReservedName>
): Effect.Effect<never, Journal.NameHeld | Journal.Fenced | Journal.JournalUnavailable> =>
  sql<Journal.ReservedName>`
    SELECT names.kind, names.name FROM names, jsonb_array_elements(${sql.json(wanted)}) AS r
    WHERE names.kind = r->>'kind' AND names.name = r->>'name'
      AND NOT (owner_type = ${key.type} AND owner_id = ${key.id}) LIMIT 1`.pipe(
    Effect.mapError(unavailable("append")),
    Effect.flatMap((rows) => {
      const held = rows[0]
      return Effect.fail(held === undefined ? new Journal.Fenced(key) : new Journal.NameHeld(held))
    })
  )

interface OutboxRecord {
  readonly type: string
  readonly id: string
  readonly sequence: number
  readonly position: number
  readonly effect: unknown
  readonly attempts: number
}

const makeOutbox = (sql: PgClient.PgClient): Outbox.Outbox["Service"] => ({
  due: (nowMs, limit) =>
    sql<OutboxRecord>`
      SELECT entity_type AS type, entity_id AS id, sequence, position, effect, attempts FROM (
        SELECT DISTINCT ON (entity_type, entity_id) * FROM outbox
        ORDER BY entity_type, entity_id, sequence, position) AS oldest
      WHERE due_ms <= ${nowMs} LIMIT ${limit}`.pipe(
      Effect.map((rows) => rows.map(({ type, id, ...row }) => ({ key: { type, id }, ...row }))),
      Effect.mapError(unavailable("due"))
    ),

  done: (rows) =>
    sql`
      DELETE FROM outbox USING jsonb_to_recordset(${sql.json(rows.map((row) => ({ ...row.key, sequence: row.sequence, position: row.position })))})
        AS r(type text, id text, sequence integer, position integer)
      WHERE outbox.entity_type = r.type AND outbox.entity_id = r.id
        AND outbox.sequence = r.sequence AND outbox.position = r.position`.pipe(
      Effect.asVoid,
      Effect.mapError(unavailable("done"))
    ),

  postpone: (row, untilMs, problem) =>
    sql`
      UPDATE outbox SET attempts = attempts + 1, due_ms = ${untilMs}, problem = ${problem}
      WHERE entity_type = ${row.key.type} AND entity_id = ${row.key.id}
        AND sequence = ${row.sequence} AND position = ${row.position}`.pipe(
      Effect.asVoid,
      Effect.mapError(unavailable("postpone"))
    ),

  backlog: (limit, only) =>
    sql<Omit<Outbox.OutboxBacklog, "key"> & Journal.EntityKey>`
      SELECT next.entity_type AS type, next.entity_id AS id, counted.rows, next.effect->>'_tag' AS effect,
        journal.at_ms::float8 AS "atMs", next.attempts, next.due_ms::float8 AS "dueMs", next.problem
      FROM (SELECT entity_type, entity_id, count(*)::integer AS rows FROM outbox
          ${only === undefined ? sql`` : sql`WHERE entity_type = ${only.type} AND entity_id = ${only.id}`}
          GROUP BY entity_type, entity_id) AS counted
        CROSS JOIN LATERAL (SELECT * FROM outbox
          WHERE outbox.entity_type = counted.entity_type AND outbox.entity_id = counted.entity_id
          ORDER BY sequence, position LIMIT 1) AS next
        LEFT JOIN journal ON journal.entity_type = next.entity_type AND journal.entity_id = next.entity_id
          AND journal.sequence = next.sequence
      ORDER BY next.attempts DESC, journal.at_ms LIMIT ${limit}`.pipe(
      Effect.map((rows) => rows.map(({ type, id, ...row }) => ({ key: { type, id }, ...row }))),
      Effect.mapError(unavailable("backlog"))
    ),

  hasten: (key) =>
    sql`
      WITH hastened AS (UPDATE outbox SET due_ms = 0
        WHERE entity_type = ${key.type} AND entity_id = ${key.id} RETURNING 1)
      SELECT pg_notify(${channel}, '') FROM (SELECT 1 FROM hastened LIMIT 1) AS any_hastened`.pipe(
      Effect.asVoid,
      Effect.mapError(unavailable("hasten"))
    ),

  awaitWork: sql.listen(channel).pipe(
    Effect.mapError(unavailable("awaitWork")),
    Effect.map((notifications) =>
      Queue.take(notifications).pipe(
        Effect.andThen(Queue.clear(notifications)),
        Effect.asVoid,
        Effect.mapError(unavailable("awaitWork"))
      )
    )
  )
})

const makeReadModels = (sql: PgClient.PgClient): ReadModels.ReadModels["Service"] => ({
  get: (model, key) =>
    sql<{ row: unknown }>`SELECT row FROM read_models WHERE model = ${model} AND key = ${key}`.pipe(
      Effect.map((rows) => Option.fromNullishOr(rows[0]?.row)),
      Effect.mapError(unavailable("get"))
    ),
  list: (model, parent) =>
    sql<{ row: unknown }>`
      SELECT row FROM read_models WHERE model = ${model} AND parent = ${parent} ORDER BY key`.pipe(
      Effect.map((rows) => rows.map(({ row }) => row)),
      Effect.mapError(unavailable("list"))
    ),
  holder: (kind, name) =>
    sql<{ id: string }>`SELECT owner_id AS id FROM names WHERE kind = ${kind} AND name = ${name}`.pipe(
      Effect.map((rows) => Option.fromNullishOr(rows[0]?.id)),
      Effect.mapError(unavailable("holder"))
    )
})

/** Needs the tables of `JournalSchema`. */
export const layer: Layer.Layer<
  Journal.Journal | Outbox.Outbox | ReadModels.ReadModels,
  never,
  PgClient.PgClient
> = Layer.effectContext(
  Effect.map(PgClient.PgClient, (sql) =>
    Context.make(Journal.Journal, makeJournal(sql)).pipe(
      Context.add(Outbox.Outbox, makeOutbox(sql)),
      Context.add(ReadModels.ReadModels, makeReadModels(sql))
    )
  )
)
