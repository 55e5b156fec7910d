/** The outbox's rows on PostgreSQL; appends write them, the relay takes them away. */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { SqlError } from "effect/sql/SqlError"
import { type EntityKey, JournalUnavailable } from "../Journal.ts"
import type * as Outbox from "../Outbox.ts"
import { channel } from "./AppendStatement.ts"

const unavailable = (operation: string) => (cause: SqlError) => new JournalUnavailable({ operation, cause })

interface OutboxRecord {
  readonly type: string
  readonly id: string
  readonly sequence: number
  readonly position: number
  readonly line: string
  readonly effect: unknown
  readonly attempts: number
}

/**
 * `due` goes from line to line through the index: what it costs grows with the lines that have rows, not with the rows
 * that wait behind one which fails.
 */
export const make = (sql: PgClient.PgClient): Outbox.Outbox["Service"] => ({
  due: (nowMs, limit) =>
    sql<OutboxRecord>`
      WITH RECURSIVE oldest AS (
        (SELECT entity_type, entity_id, line, sequence, position, attempts, due_ms FROM outbox
          ORDER BY entity_type, entity_id, line, sequence, position LIMIT 1)
        UNION ALL
        SELECT next.* FROM oldest CROSS JOIN LATERAL (
          SELECT o.entity_type, o.entity_id, o.line, o.sequence, o.position, o.attempts, o.due_ms FROM outbox AS o
          WHERE (o.entity_type, o.entity_id, o.line) > (oldest.entity_type, oldest.entity_id, oldest.line)
          ORDER BY o.entity_type, o.entity_id, o.line, o.sequence, o.position LIMIT 1) AS next),
      in_turn AS (
        SELECT *, row_number() OVER (PARTITION BY split_part(CASE line WHEN '' THEN entity_id ELSE line END, '/', 1)
          ORDER BY attempts, due_ms) AS place
        FROM oldest WHERE due_ms <= ${nowMs}
        ORDER BY place, attempts, due_ms LIMIT ${limit})
      SELECT outbox.entity_type AS type, outbox.entity_id AS id, outbox.sequence, outbox.position, outbox.line,
        outbox.effect, outbox.attempts
      FROM in_turn JOIN outbox USING (entity_type, entity_id, sequence, position)
      ORDER BY in_turn.place, in_turn.attempts, in_turn.due_ms`.pipe(
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
    sql<Omit<Outbox.OutboxBacklog, "key"> & EntityKey>`
      SELECT next.entity_type AS type, next.entity_id AS id, next.line, counted.rows, next.effect->>'_tag' AS effect,
        journal.at_ms::float8 AS "atMs", next.attempts, next.due_ms::float8 AS "dueMs", next.problem
      FROM (SELECT entity_type, entity_id, line, count(*)::integer AS rows FROM outbox
          ${only === undefined ? sql`` : sql`WHERE entity_type = ${only.key.type} AND entity_id = ${only.key.id} AND line = ${only.line}`}
          GROUP BY entity_type, entity_id, line) AS counted
        CROSS JOIN LATERAL (SELECT * FROM outbox
          WHERE outbox.entity_type = counted.entity_type AND outbox.entity_id = counted.entity_id
            AND outbox.line = counted.line
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
