/**
 * Who joined, who took and gave which shards, and which runners are to take none: rows in the database, for operators.
 * Nothing decides by the history; by the drains decides `WatchedRunnerStorage`.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Unavailable } from "@starform/domain/errors/RequestErrors"
import type { ShardMove } from "@starform/domain/protocol/OperatorRpcs"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type { SqlError } from "effect/sql/SqlError"

/** Moves that are kept. */
export const movesKept = 10_000

/** Moves that may wait for a database that is away; beyond that the oldest are forgotten. */
const unwrittenMax = 1_000

/** How long the end of a process waits for its last moves to be written. */
const lastWriteMax = Duration.seconds(1)

export interface Move extends Omit<ShardMove, "id" | "atMs"> {}

export interface TimedMove extends Move {
  readonly atMs: number
}

export interface ShardOwner {
  readonly shard: string
  readonly runner: string
  readonly sinceMs: number
}

export class ShardRegister extends Context.Service<
  ShardRegister,
  {
    /** Writes behind, in order; never fails and never waits. */
    readonly record: (move: Move) => Effect.Effect<void>
    /** Newest first, with an id below `before`. */
    readonly moves: (
      before: number | null,
      limit: number
    ) => Effect.Effect<ReadonlyArray<ShardMove>, Unavailable>
    /** Who took each shard last and has not given it back; a runner that was killed gives nothing back. */
    readonly owners: Effect.Effect<ReadonlyArray<ShardOwner>, Unavailable>
    readonly owner: (shard: string) => Effect.Effect<ShardOwner | null, Unavailable>
    /** When each runner joined last. */
    readonly joined: Effect.Effect<ReadonlyMap<string, number>, Unavailable>
    readonly drained: Effect.Effect<ReadonlySet<string>, Unavailable>
    /** Idempotent. */
    readonly setDrained: (runner: string, drained: boolean) => Effect.Effect<void, Unavailable>
  }
>()("@starform/starbase/runners/ShardRegister") {}

const recordStatement = `
WITH input AS (SELECT $1::bigint AS at_ms, $2::text AS runner, $3::text AS kind, $4::jsonb AS shards),
  moved AS (INSERT INTO shard_moves (at_ms, runner, kind, shards) SELECT at_ms, runner, kind, shards FROM input
    RETURNING id),
  forgotten AS (DELETE FROM shard_moves USING moved WHERE shard_moves.id <= moved.id - ${movesKept}),
  given AS (DELETE FROM shard_owners USING input
    WHERE input.kind IN ('released', 'lost') AND shard_owners.runner = input.runner
      AND shard_owners.shard IN (SELECT jsonb_array_elements_text(input.shards)))
INSERT INTO shard_owners (shard, runner, since_ms)
SELECT taken.shard, runner, at_ms FROM input, jsonb_array_elements_text(shards) AS taken(shard)
WHERE kind = 'acquired'
ON CONFLICT (shard) DO UPDATE SET runner = excluded.runner, since_ms = excluded.since_ms`

/** A runner gives its shards back one by one: what it did in a row is one move. */
export const merged = (moves: ReadonlyArray<TimedMove>): ReadonlyArray<TimedMove> => {
  const rows: Array<TimedMove> = []
  for (const move of moves) {
    const last = rows.at(-1)
    const goesOn = last !== undefined && last.kind === move.kind && last.runner === move.runner
    if (goesOn) rows[rows.length - 1] = { ...last, shards: [...last.shards, ...move.shards].sort() }
    else rows.push(move)
  }
  return rows
}

/** Needs the tables of `JournalSchema`. */
export const layerPostgres: Layer.Layer<ShardRegister, never, PgClient.PgClient> = Layer.effect(
  ShardRegister,
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const unwritten = yield* Queue.sliding<TimedMove>(unwrittenMax)
    const readable = <A>(effect: Effect.Effect<A, SqlError>) =>
      Effect.mapError(effect, () => new Unavailable({ what: "the register of shards" }))

    const write = (moves: ReadonlyArray<TimedMove>) =>
      Effect.forEach(
        merged(moves),
        ({ atMs, runner, kind, shards }) =>
          sql.unsafe(recordStatement, [atMs, runner, kind, JSON.stringify(shards)]),
        { discard: true }
      ).pipe(Effect.catch((error) => Effect.logDebug("moves of shards are not written down", error)))

    // What a runner gives back last is worth a moment of its end.
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Queue.clear(unwritten), write).pipe(Effect.timeoutOption(lastWriteMax))
    )
    yield* Queue.takeAll(unwritten).pipe(Effect.flatMap(write), Effect.forever, Effect.forkScoped)

    return ShardRegister.of({
      record: (move) =>
        Effect.flatMap(Clock.currentTimeMillis, (atMs) => Queue.offer(unwritten, { ...move, atMs })).pipe(
          Effect.asVoid
        ),
      moves: (before, limit) =>
        readable(sql<ShardMove>`
          SELECT id::float8 AS id, at_ms::float8 AS "atMs", runner, kind, shards FROM shard_moves
          WHERE id < ${before ?? Number.MAX_SAFE_INTEGER} ORDER BY id DESC LIMIT ${limit}`),
      owners: readable(
        sql<ShardOwner>`SELECT shard, runner, since_ms::float8 AS "sinceMs" FROM shard_owners ORDER BY shard`
      ),
      owner: (shard) =>
        readable(
          sql<ShardOwner>`
            SELECT shard, runner, since_ms::float8 AS "sinceMs" FROM shard_owners WHERE shard = ${shard}`
        ).pipe(Effect.map((rows) => rows[0] ?? null)),
      joined: readable(
        sql<{ runner: string; atMs: number }>`
          SELECT runner, max(at_ms)::float8 AS "atMs" FROM shard_moves WHERE kind = 'joined' GROUP BY runner`
      ).pipe(Effect.map((rows) => new Map(rows.map(({ runner, atMs }) => [runner, atMs])))),
      drained: readable(sql<{ runner: string }>`SELECT runner FROM runner_drains`).pipe(
        Effect.map((rows) => new Set(rows.map(({ runner }) => runner)))
      ),
      setDrained: (runner, drained) =>
        readable(
          drained
            ? Effect.flatMap(
                Clock.currentTimeMillis,
                (atMs) => sql`
                  INSERT INTO runner_drains (runner, at_ms) VALUES (${runner}, ${atMs})
                  ON CONFLICT (runner) DO NOTHING`
              )
            : sql`DELETE FROM runner_drains WHERE runner = ${runner}`
        ).pipe(Effect.asVoid)
    })
  })
)
