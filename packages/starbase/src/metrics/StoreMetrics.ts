/** What PostgreSQL knows, asked when somebody scrapes: the outbox, and connections. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as SqlClient from "effect/sql/SqlClient"
import { outboxOldestSeconds, outboxRows, postgresConnections, postgresUp } from "./StarbaseMetrics.ts"

/** A scrape does not wait longer for the database; its other numbers matter most when the database is away. */
const answerMax = Duration.seconds(2)

/** Every state, so that a series that fell to nothing says 0. */
const states = ["active", "idle", "idle in transaction", "other"] as const

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  const outbox = sql<{ readonly rows: number; readonly oldestMs: number | null }>`
    SELECT count(*)::float8 AS rows, min(journal.at_ms)::float8 AS "oldestMs"
    FROM outbox LEFT JOIN journal USING (entity_type, entity_id, sequence)`

  const connections = sql<{ readonly state: string; readonly count: number }>`
    SELECT CASE WHEN state IN ('active', 'idle', 'idle in transaction') THEN state ELSE 'other' END AS state,
      count(*)::float8 AS count
    FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1`

  const ask = Effect.gen(function* () {
    const [backlog] = yield* outbox
    const nowMs = yield* Clock.currentTimeMillis
    yield* Metric.update(outboxRows, backlog?.rows ?? 0)
    const oldestMs = backlog?.oldestMs ?? nowMs
    yield* Metric.update(outboxOldestSeconds, Math.max(0, nowMs - oldestMs) / 1000)
    const found = new Map((yield* connections).map(({ state, count }) => [state, count]))
    for (const state of states) yield* Metric.update(postgresConnections({ state }), found.get(state) ?? 0)
  })

  const collect = ask.pipe(
    Effect.timeout(answerMax),
    Effect.matchEffect({
      onFailure: () => Metric.update(postgresUp, 0),
      onSuccess: () => Metric.update(postgresUp, 1)
    })
  )
  return { collect }
})
