/** Connections to a real PostgreSQL over a wire that goes silent. */
import { assert, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Duration, Effect, Queue, Redacted } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type { SqlError } from "effect/sql/SqlError"
import * as Database from "@starform/starbase/Database"
import * as FaultWire from "./cluster/FaultWire.ts"
import { freshDatabase } from "./Postgres.ts"

/** A pool of this size, whose way to the server is the wire. */
const wired = Effect.fnUntraced(function* (connectionsMax: number) {
  const straight = yield* freshDatabase
  const url = new URL(Redacted.value(straight))
  const wire = yield* FaultWire.make(Number(url.port))
  url.port = String(wire.port)
  const session = { idle_in_transaction_session_timeout: "1000" }
  const database = yield* Database.make({ url: Redacted.make(url.href), connectionsMax, session })
  const beside = yield* PgClient.make({ url: straight, maxConnections: 1 })
  return { wire, database, beside }
})

const briefly = Effect.provideService(Database.StatementMax, Duration.millis(300))

const pidOf = (sql: PgClient.PgClient) =>
  Effect.map(sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`, (rows) => rows[0]!.pid)

const silent = <A, E, R>(effect: Effect.Effect<A, E | SqlError, R>) =>
  Effect.map(Effect.flip(briefly(effect)), (error) => assert.include(JSON.stringify(error), "SqlError"))

it.layer(Reactivity.layer, { timeout: 60_000, excludeTestServices: true })("Database", (it) => {
  it.effect("fails a statement on a connection that was forgotten, and takes another one", () =>
    Effect.gen(function* () {
      const { wire, database } = yield* wired(1)
      const pid = yield* pidOf(database)
      yield* wire.forget
      yield* silent(pidOf(database))
      assert.notStrictEqual(yield* pidOf(database), pid)
    })
  )

  it.effect("fails whoever waits for a connection that others hold", () =>
    Effect.gen(function* () {
      const { database } = yield* wired(1)
      yield* Effect.scoped(Effect.andThen(database.reserve, silent(pidOf(database))))
      assert.isNumber(yield* pidOf(database))
    })
  )

  it.effect(
    "fails a transaction whose connection was forgotten, at whatever statement, and leaves no lock",
    () =>
      Effect.gen(function* () {
        const { wire, database, beside } = yield* wired(1)
        yield* database`CREATE TABLE things (id integer PRIMARY KEY)`
        yield* database`INSERT INTO things VALUES (1)`
        const change = Effect.andThen(database`UPDATE things SET id = 2`, wire.forget)
        yield* silent(database.withTransaction(change))
        yield* silent(
          database.withTransaction(
            Effect.andThen(
              Effect.andThen(database`UPDATE things SET id = 2`, wire.forget),
              database`UPDATE things SET id = 3`
            )
          )
        )
        assert.deepStrictEqual(yield* database`SELECT id FROM things`, [{ id: 1 }])
        // The server closes the sessions of which it heard nothing more: the lock of the row is given back.
        yield* beside`UPDATE things SET id = 4`
        assert.deepStrictEqual(yield* database`SELECT id FROM things`, [{ id: 4 }])
      })
  )

  it.effect("has a transaction fail whose statement failed, although its COMMIT was answered", () =>
    Effect.gen(function* () {
      const { database } = yield* wired(2)
      const failing = database.withTransaction(Effect.ignore(database`SELECT 1 / 0`))
      assert.include(String(yield* Effect.flip(failing)), "Database")
      const nested = database.withTransaction(
        Effect.andThen(
          Effect.ignore(database.withTransaction(database`SELECT 1 / 0`)),
          database`SELECT 1 AS one`
        )
      )
      assert.deepStrictEqual(yield* nested, [{ one: 1 }])
    })
  )

  it.effect("lets go at once of a connection that listens and was forgotten", () =>
    Effect.gen(function* () {
      const { wire, database, beside } = yield* wired(1)
      const heard = yield* Effect.scoped(
        Effect.gen(function* () {
          const notifications = yield* database.listen("things")
          yield* beside.notify("things", "news")
          const { payload } = yield* Queue.take(notifications)
          yield* wire.forget
          return payload
        })
      )
      assert.strictEqual(heard, "news")
    })
  )

  it.effect("leaves time to a migration", () =>
    Effect.gen(function* () {
      const { database } = yield* wired(1)
      yield* silent(database`SELECT pg_sleep(1)`)
      yield* briefly(Database.unhurried(database`SELECT pg_sleep(1)`))
    })
  )
})
