/**
 * Connections to PostgreSQL on which nothing waits for long. What lies between may forget a connection without a word, and
 * TCP tells nobody for a quarter of an hour; so every statement has its time, and a connection that let one pass is closed.
 * A connection that is idle is asked for a sign of life by the kernel, and one that listens by us.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { ConnectionError, SqlError, UnknownError } from "effect/sql/SqlError"

/** A connection on which nothing is said is asked for a sign of life by either kernel after this long. */
const keepAlive = Duration.seconds(10)

/**
 * What the server does with a session whose client is gone without a word: what it sends must be acknowledged, what it hears
 * nothing of must answer three questions, and no transaction waits for its next statement. Milliseconds, or seconds for
 * `tcp_keepalives_…`. @source PostgreSQL, "Connections and Authentication" and "Client Connection Defaults"
 */
const serverLimits = {
  tcp_user_timeout: "20000",
  tcp_keepalives_idle: "10",
  tcp_keepalives_interval: "3",
  tcp_keepalives_count: "3",
  idle_in_transaction_session_timeout: "20000"
}

/**
 * How long a statement may take, and how long one may wait for a connection. Then it fails as if the connection had broken:
 * its outcome is unknown. The client gives the server five more seconds to call the statement off before it closes the
 * connection, so a caller hears of it after at most that much more.
 */
export class StatementMax extends Context.Reference<Duration.Duration>(
  "@starform/starbase/Database/StatementMax",
  { defaultValue: () => Duration.seconds(10) }
) {}

/** For work that may take long, and whose caller waits for it: migrations. */
export const unhurried = Effect.provideService(StatementMax, Duration.infinity)

export interface DatabaseOptions {
  readonly url: Redacted.Redacted<string>
  readonly connectionsMax: number
  /** Settings of every session. */
  readonly session?: Readonly<Record<string, string>>
}

const overdue = (operation: string, max: Duration.Duration) =>
  new SqlError({
    reason: new ConnectionError({
      cause: new Error(`no answer within ${Duration.format(max)}`),
      message: "Database: PostgreSQL is silent",
      operation
    })
  })

const inTime =
  (operation: string) =>
  <A, R>(effect: Effect.Effect<A, SqlError, R>): Effect.Effect<A, SqlError, R> =>
    Effect.flatMap(StatementMax, (max) =>
      Duration.isFinite(max)
        ? Effect.timeoutOrElse(effect, {
            duration: max,
            orElse: () => Effect.fail(overdue(operation, max))
          })
        : effect
    )

/**
 * A connection whose statements have their time. A ROLLBACK that nobody answers has been done: the connection is closed,
 * and effect would make a defect of it. Streams have no end that could be late; nobody here reads one.
 */
const hurried = (connection: Connection): Connection => {
  const run = inTime("query")
  return {
    execute: (sql, ...args) => {
      const executed = run(connection.execute(sql, ...args))
      return sql === "ROLLBACK" ? Effect.orElseSucceed(executed, () => []) : executed
    },
    executeRaw: (...args) => run(connection.executeRaw(...args)),
    executeStream: (...args) => connection.executeStream(...args),
    executeValues: (...args) => run(connection.executeValues(...args)),
    executeValuesUnprepared: (...args) => run(connection.executeValuesUnprepared(...args)),
    executeUnprepared: (...args) => run(connection.executeUnprepared(...args))
  }
}

/** PostgreSQL answers the COMMIT of a transaction that failed before with a ROLLBACK. */
const commit = (connection: Connection) =>
  Effect.flatMap(connection.executeRaw("COMMIT", []), (answer) =>
    (answer as { readonly command?: unknown }).command === "ROLLBACK"
      ? Effect.fail(
          new SqlError({
            reason: new UnknownError({
              cause: new Error("COMMIT rolled back"),
              message: "Database: the transaction had failed before its COMMIT",
              operation: "commit"
            })
          })
        )
      : Effect.void
  )

/**
 * Listens on a connection of its own, outside the pool, that is asked for a sign of life again and again; without one the
 * queue fails. When the scope closes the connection is closed before anything else is done: to take leave of a server that
 * does not answer takes for ever, and whoever waits for that keeps its shard from moving.
 */
const listening = (config: PgConnection.Config) => (channel: string) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const [connected, listens] = [yield* Scope.make(), yield* Scope.make()]
      const close = Effect.andThen(Scope.close(connected, Exit.void), Scope.close(listens, Exit.void))
      yield* Effect.addFinalizer(() => close)
      return yield* restore(
        Effect.gen(function* () {
          const connection = yield* Scope.provide(PgConnection.make(config), connected)
          const pinned = yield* Scope.provide(connection.pin, listens)
          const notifications = yield* inTime("listen")(Scope.provide(pinned.listen(channel), listens))
          yield* inTime("listen")(pinned.query("SELECT 1")).pipe(
            Effect.delay(keepAlive),
            Effect.forever,
            Effect.onError(() => Scope.close(connected, Exit.void)),
            Effect.ignore,
            Effect.forkIn(listens)
          )
          return notifications
        })
      )
    })
  )

/**
 * @param options a pool of its own
 * @errors SqlError when the first connection cannot be had
 */
export const make = Effect.fnUntraced(function* ({ url, connectionsMax, session }: DatabaseOptions) {
  const config = { url, keepAlive, startupParameters: { ...serverLimits, ...session } }
  const client = yield* PgClient.make({ ...config, maxConnections: connectionsMax })
  const acquirer = Effect.map(inTime("acquire")(client.reserve), hurried)
  const inner = yield* SqlClient.make({
    acquirer,
    transactionAcquirer: acquirer,
    compiler: PgClient.makeCompiler(),
    driver: client.driver,
    spanAttributes: [],
    prepareTransactionControls: true,
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    commit
  })
  const database: PgClient.PgClient = Object.assign(inner, {
    [PgClient.TypeId]: PgClient.TypeId,
    config: client.config,
    json: client.json,
    listen: listening(config),
    notify: (channel: string, payload: string) =>
      Effect.asVoid(inner`SELECT pg_notify(${channel}, ${payload})`)
  })
  return database
})

export const layer = (
  options: DatabaseOptions
): Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, SqlError> => PgClient.layerFrom(make(options))
