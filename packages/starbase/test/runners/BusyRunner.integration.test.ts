/** A runner whose connections to PostgreSQL are all in use by its work. */
import { randomBytes } from "node:crypto"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Redacted, Schedule } from "effect"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as RunnerWorld from "../cluster/RunnerWorld.ts"
import * as Specimens from "../entities/Specimens.ts"
import { freePort } from "../harness/FreePort.ts"
import { freshDatabase } from "../Postgres.ts"

const until = (isSo: Effect.Effect<boolean, unknown>) =>
  isSo.pipe(
    Effect.orElseSucceed(() => false),
    Effect.repeat({ until: (so) => so, schedule: Schedule.spaced("50 millis") }),
    Effect.timeout("20 seconds")
  )

it.live(
  "keeps its shards, is seen, and has its shards back when it lost its locks",
  () =>
    Effect.gen(function* () {
      const databaseUrl = yield* freshDatabase
      const masterKey = Redacted.make(randomBytes(32).toString("base64"))
      const runner = yield* RunnerWorld.inProcess({ databaseUrl, masterKey, runnerPort: yield* freePort })
      const beside = yield* PgClient.make({ url: databaseUrl, maxConnections: 1 })
      const ids = Array.from({ length: 50 }, () => Specimens.uniqueIdentity().appId)
      const ownsAll = Effect.sync(() => ids.every((id) => RunnerWorld.owns(runner, id)))
      /** Sessions that hold shard locks. */
      const holders = Effect.map(
        beside<{ pid: number }>`
          SELECT DISTINCT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database
          WHERE locktype = 'advisory' AND granted AND datname = current_database() AND objsubid = 2`,
        (rows) => rows.map(({ pid }) => pid)
      )
      yield* until(ownsAll)

      const work = Context.get(runner, PgClient.PgClient)
      yield* Effect.forEach(Array.from({ length: RunnerWorld.connectionsMax }), () => work.reserve, {
        discard: true
      })
      const [holder] = yield* holders
      const members = yield* Context.get(runner, RunnerStorage).getRunners
      assert.lengthOf(members, 1)
      yield* beside`SELECT pg_terminate_backend(${holder!})`
      yield* until(Effect.map(holders, (pids) => pids.length === 1 && pids[0] !== holder))
      yield* until(ownsAll)
    }).pipe(Effect.scoped, Effect.provide(Reactivity.layer)),
  60_000
)
