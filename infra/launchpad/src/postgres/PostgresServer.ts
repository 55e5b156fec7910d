/** One run of the server's process: from spawning it to its end, whoever causes that. */
import { join } from "node:path"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schedule from "effect/Schedule"
import { lastLines, sizeBytes } from "./internal/lastLines.ts"
import { asksToAuthenticate, freePort, host } from "./internal/loopback.ts"
import { type Spawned, spawnAs } from "./internal/spawnAs.ts"
import type { PostgresBinaries } from "./PostgresBinaries.ts"
import { BinaryMissing, PortTaken, ServerEnded, StartFailed } from "./PostgresErrors.ts"
import type { PostgresUser } from "./PostgresUser.ts"

export interface PostgresServerOptions {
  /** 0 lets the system choose. */
  readonly port: number
  readonly durable: boolean
  readonly connectionsMax: number
  readonly sharedBuffersMebibytes: number
  readonly startTimeout: Duration.Input
  /** How long each of fast shutdown and immediate shutdown may take before the next harder way. */
  readonly stopPatience: Duration.Input
  /** A log found larger at a start is moved aside. */
  readonly logBytesMax: number
}

export interface PostgresServer {
  readonly pid: number
  readonly port: number
  /** Never succeeds: fails when the server ends by itself. */
  readonly ended: Effect.Effect<never, ServerEnded>
}

const readyPollInterval = "20 millis"

/** Attempts when the system chose the port: another process may take it between the choice and the bind. */
const portAttempts = 3

/** Attempts, one every `remnantPollInterval`, while processes of a killed server still hold its shared memory. */
const remnantAttempts = 100
const remnantPollInterval = "100 millis"

/**
 * Server settings. One machine serves one platform: a small cache, no replication, little WAL kept, and no parallel
 * workers, whose shared memory a container's /dev/shm may not hold.
 */
const settings = (port: number, options: PostgresServerOptions): Record<string, string> => ({
  listen_addresses: host,
  port: String(port),
  unix_socket_directories: "",
  max_connections: String(options.connectionsMax),
  shared_buffers: `${options.sharedBuffersMebibytes}MB`,
  max_parallel_workers_per_gather: "0",
  max_wal_senders: "0",
  wal_level: "minimal",
  min_wal_size: "32MB",
  max_wal_size: "256MB",
  timezone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  log_checkpoints: "off",
  ...(options.durable ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" })
})

/**
 * Ends a server: fast shutdown (clients are disconnected), then immediate, then by force.
 * @source PostgreSQL manual, Shutting Down the Server.
 */
const stop = Effect.fnUntraced(function* (server: Spawned, patience: Duration.Input) {
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    server.child.kill(signal)
    const ending = yield* Deferred.await(server.ending).pipe(
      Effect.interruptible,
      Effect.timeoutOption(patience)
    )
    if (ending._tag === "Some") return
    yield* Effect.logWarning("PostgreSQL did not stop in time", { pid: server.child.pid, signal })
  }
  server.child.kill("SIGKILL")
  yield* Deferred.await(server.ending)
})

const launch = Effect.fnUntraced(function* (
  home: string,
  binaries: PostgresBinaries,
  user: PostgresUser,
  options: PostgresServerOptions
) {
  const port = yield* freePort(options.port)
  if (port === undefined) return yield* new PortTaken({ host, port: options.port })
  const log = join(home, "server.log")
  const from = yield* sizeBytes(log)
  const args = Object.entries(settings(port, options)).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const server = yield* Effect.acquireRelease(
    spawnAs(user, binaries.postgres, ["-D", join(home, "data"), ...args], { cwd: home, log }),
    (server) => stop(server, options.stopPatience)
  )
  const endedEarly = Effect.gen(function* () {
    const ending = yield* Deferred.await(server.ending)
    if (ending.unexecuted !== undefined) {
      return yield* new BinaryMissing({
        platform: `${process.platform}-${process.arch}`,
        reason: `${binaries.postgres} cannot be executed`,
        cause: ending.unexecuted
      })
    }
    const lines = yield* lastLines(log, from)
    if (lines.some((line) => line.includes("Address already in use"))) {
      return yield* new PortTaken({ host, port })
    }
    return yield* new StartFailed({ step: "postgres", reason: ending.description, lastLines: lines })
  })
  yield* asksToAuthenticate(port).pipe(
    Effect.repeat({ schedule: Schedule.spaced(readyPollInterval), until: (ready) => ready }),
    Effect.raceFirst(endedEarly),
    Effect.timeoutOrElse({
      duration: options.startTimeout,
      orElse: () =>
        Effect.flatMap(lastLines(log, from), (lines) =>
          Effect.fail(
            new StartFailed({ step: "postgres", reason: "it was not ready in time", lastLines: lines })
          )
        )
    })
  )
  const pid = server.child.pid ?? 0
  const fs = yield* FileSystem.FileSystem
  const ended = Effect.gen(function* () {
    const ending = yield* Deferred.await(server.ending)
    const lines = yield* lastLines(log, from)
    return yield* new ServerEnded({ pid, status: ending.description, lastLines: lines })
  }).pipe(Effect.provideService(FileSystem.FileSystem, fs))
  const running: PostgresServer = { pid, port, ended }
  return running
})

/**
 * Starts the server on an initialised home and waits until it asks clients to authenticate. Stops it when the scope
 * closes. Data must have no other server (`PostgresHome`).
 */
export const start = Effect.fn("PostgresServer.start")(function* (
  home: string,
  binaries: PostgresBinaries,
  user: PostgresUser,
  options: PostgresServerOptions
) {
  const fs = yield* FileSystem.FileSystem
  const log = join(home, "server.log")
  if ((yield* sizeBytes(log)) > options.logBytesMax) yield* fs.rename(log, `${log}.old`)
  return yield* launch(home, binaries, user, options).pipe(
    Effect.retry({
      schedule: Schedule.spaced(remnantPollInterval),
      times: remnantAttempts,
      while: (error) =>
        error._tag === "StartFailed" && error.lastLines.some((line) => line.includes("shared memory block"))
    }),
    Effect.retry({
      times: portAttempts - 1,
      while: (error) => error._tag === "PortTaken" && options.port === 0
    })
  )
})
