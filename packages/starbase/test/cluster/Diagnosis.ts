/** What is left undone in the database of a world whose test fails: effects, and messages without a reply. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, type Redacted } from "effect"

/** @param databaseUrl straight to the server, past every wire */
export const undone = (databaseUrl: Redacted.Redacted<string>) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const effects = yield* sql`
      SELECT entity_type, entity_id, sequence, effect->>'_tag' AS effect, attempts, problem FROM outbox`
    const messages = yield* sql`
      SELECT entity_type, entity_id, shard_id, tag, kind, last_read, now() AS now, deliver_at::text
      FROM cluster_messages WHERE processed = false AND entity_type <> 'Workflow/-/DurableClock' ORDER BY id LIMIT 40`
    return [...effects, ...messages].map((row) => JSON.stringify(row)).join("\n")
  }).pipe(
    Effect.provide(PgClient.layer({ url: databaseUrl, maxConnections: 1 })),
    Effect.catchCause((cause) => Effect.succeed(`nothing known of what is undone: ${String(cause)}`))
  )
