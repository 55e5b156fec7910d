/** What entities wake up from: newest snapshot and the events after it, of many entities in one round trip. */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import * as Gathering from "../Gathering.ts"
import * as Journal from "../Journal.ts"
import type { JournalSettings } from "../JournalSettings.ts"
import { sqlFailure } from "./SqlFailure.ts"

type LoadError = Journal.JournalUnavailable | Journal.JournalOverloaded

interface LoadedRow {
  readonly member: number
  readonly sequence: number
  readonly body: unknown
  /** Null for a snapshot. */
  readonly actor: string | null
  readonly requestId: string | null
  readonly atMs: number
}

/** Both halves see one snapshot of the database, so they fit. */
const statement = `
WITH wanted AS MATERIALIZED (
    SELECT k.member::integer AS member, k.entity_type, k.entity_id, newest.sequence, newest.state, newest.at_ms
    FROM unnest((SELECT $1::text[]), (SELECT $2::text[])) WITH ORDINALITY AS k(entity_type, entity_id, member)
    LEFT JOIN LATERAL (SELECT * FROM snapshots WHERE snapshots.entity_type = k.entity_type
      AND snapshots.entity_id = k.entity_id LIMIT 1) AS newest ON true)
SELECT member, sequence, state AS body, NULL AS actor, NULL AS "requestId", at_ms::float8 AS "atMs"
FROM wanted WHERE sequence IS NOT NULL
UNION ALL
SELECT wanted.member, e.sequence, e.event, e.actor, e.request_id, e.at_ms::float8
FROM wanted CROSS JOIN LATERAL (SELECT * FROM journal WHERE journal.entity_type = wanted.entity_type
  AND journal.entity_id = wanted.entity_id AND journal.sequence > coalesce(wanted.sequence, 0)
  ORDER BY journal.sequence) AS e`

const historiesOf = (count: number, rows: ReadonlyArray<LoadedRow>): ReadonlyArray<Journal.History> => {
  const snapshots = new Map<number, Journal.StoredSnapshot>()
  const events: ReadonlyArray<Array<Journal.StoredEvent>> = Array.from({ length: count }, () => [])
  for (const { member, sequence, body, actor, requestId, atMs } of rows) {
    if (actor === null || requestId === null) snapshots.set(member, { sequence, state: body, atMs })
    else events[member - 1]?.push({ sequence, event: body, actor, requestId, atMs })
  }
  return events.map((own, index) => ({
    snapshot: Option.fromNullishOr(snapshots.get(index + 1)),
    events: own.sort((a, b) => a.sequence - b.sequence)
  }))
}

const texts = (values: ReadonlyArray<string>) => Result.getOrThrow(PgTypes.array(values, PgTypes.OID.text))

const makeRead = (sql: PgClient.PgClient) => {
  const read = (
    keys: ReadonlyArray<Journal.EntityKey>
  ): Effect.Effect<ReadonlyArray<Exit.Exit<Journal.History, LoadError>>, SqlError> =>
    sql
      .unsafe<LoadedRow>(statement, [texts(keys.map(({ type }) => type)), texts(keys.map(({ id }) => id))])
      .pipe(Effect.map((rows) => historiesOf(keys.length, rows).map((history) => Exit.succeed(history))))

  const failed = (cause: SqlError) =>
    Exit.fail<LoadError>(new Journal.JournalUnavailable({ operation: "load", cause }))

  return (keys: ReadonlyArray<Journal.EntityKey>) =>
    read(keys).pipe(
      Effect.catch((error) =>
        keys.length === 1 || sqlFailure(error) === "lost"
          ? Effect.succeed(keys.map(() => failed(error)))
          : Effect.forEach(keys, (key) =>
              read([key]).pipe(
                Effect.map(([exit]) => exit ?? failed(error)),
                Effect.catch((own) => Effect.succeed(failed(own)))
              )
            )
      )
    )
}

export const make = (
  sql: PgClient.PgClient,
  settings: JournalSettings
): Effect.Effect<Journal.Journal["Service"]["load"], never, Scope.Scope> =>
  Gathering.make({
    bounds: settings.loads,
    bytesOf: ({ type, id }: Journal.EntityKey) => type.length + id.length,
    claimsOf: () => [],
    perform: makeRead(sql),
    overdue: (): LoadError =>
      new Journal.JournalUnavailable({
        operation: "load",
        cause: `no answer within ${Duration.format(settings.loads.deadline)}`
      }),
    overfull: (): LoadError =>
      new Journal.JournalOverloaded({ operation: "load", retryAfterSeconds: settings.retryAfterSeconds })
  })
