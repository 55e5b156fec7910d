/** What runners see of each other, told through the database: a row of each, fresh for as long as a runner's locks. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Unavailable } from "@starform/domain/errors/RequestErrors"
import { ShardingConfig } from "effect/cluster/ShardingConfig"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"
import type { RunnerViews as Views } from "./RunnerVerdict.ts"

const Rows = Schema.Array(
  Schema.Struct({ observer: Schema.String, seen: Schema.Record(Schema.String, Schema.Boolean) })
)
const decodeRows = Schema.decodeUnknownEffect(Rows)

export class RunnerViews extends Context.Service<
  RunnerViews,
  {
    /** @param seen which of the others answered `observer` of late */
    readonly tell: (observer: string, seen: ReadonlyMap<string, boolean>) => Effect.Effect<void, Unavailable>
    /** By the database's clock, those that were told within `STARBASE_RUNNER_LOCK_EXPIRY`. */
    readonly told: Effect.Effect<Views, Unavailable>
    readonly forget: (observer: string) => Effect.Effect<void, Unavailable>
  }
>()("@starform/starbase/runners/RunnerViews") {}

/** Needs the tables of `JournalSchema`. */
export const layerPostgres: Layer.Layer<RunnerViews, never, PgClient.PgClient | ShardingConfig> =
  Layer.effect(
    RunnerViews,
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const { shardLockExpiration } = yield* ShardingConfig
      const freshSeconds = Duration.toSeconds(Duration.fromInputUnsafe(shardLockExpiration))
      const available = <A>(effect: Effect.Effect<A, SqlError | Schema.SchemaError>) =>
        Effect.mapError(effect, () => new Unavailable({ what: "the register of runners" }))

      return RunnerViews.of({
        tell: (observer, seen) =>
          available(sql`
            INSERT INTO runner_views (observer, seen, at)
            VALUES (${observer}, ${sql.json(Object.fromEntries(seen))}, clock_timestamp())
            ON CONFLICT (observer) DO UPDATE SET seen = excluded.seen, at = excluded.at`).pipe(Effect.asVoid),
        told: available(
          sql`
            SELECT observer, seen FROM runner_views
            WHERE at > clock_timestamp() - make_interval(secs => ${freshSeconds})`.pipe(
            Effect.flatMap(decodeRows)
          )
        ).pipe(
          Effect.map((rows) => new Map(rows.map((row) => [row.observer, new Map(Object.entries(row.seen))])))
        ),
        forget: (observer) =>
          available(sql`DELETE FROM runner_views WHERE observer = ${observer}`).pipe(Effect.asVoid)
      })
    })
  )
