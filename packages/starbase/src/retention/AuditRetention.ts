/** Forgets what operators looked at and did long ago. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"

/** Lines that one statement forgets. */
export const batchMax = 1_000

/** One batch, the oldest lines first. Answers whether there may be more. */
export const sweep = Effect.fnUntraced(function* (beforeMs: number) {
  const sql = yield* PgClient.PgClient
  const forgotten = yield* sql`
    DELETE FROM operator_audit WHERE id IN (
      SELECT id FROM operator_audit WHERE at_ms < ${beforeMs} ORDER BY id LIMIT ${batchMax}) RETURNING 1`
  return forgotten.length === batchMax
})
