/** The outbox's rows on PostgreSQL; appends write them, the relay takes them away. */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { SqlError } from "effect/sql/SqlError"
import { JournalUnavailable } from "../Journal.ts"
import type * as Outbox from "../Outbox.ts"
import { channel } from "./AppendStatement.ts"

const unavailable = (operation: string) => (cause: SqlError) => new JournalUnavailable({ operation, cause })

interface OutboxRecord {
  readonly type: string
  readonly id: string
  readonly sequence: number
  readonly position: number
  readonly effect: unknown
  readonly attempts: number
}

export const make = (sql: PgClient.PgClient): Outbox.Outbox["Service"] => ({
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
