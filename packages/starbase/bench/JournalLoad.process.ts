/**
 * Commands of App entities in one runner, over the journal; and a runner that wakes them up again. Argument: the
 * database's URL. `gc` must be exposed where heap is asked for.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, ManagedRuntime } from "effect"
import { DeployId } from "@starform/domain/ids/Ids"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { serve } from "../../../bench/program.ts"
import * as RunnerWorld from "../test/cluster/RunnerWorld.ts"
import * as Specimens from "../test/entities/Specimens.ts"
import { placeOf } from "./place.ts"

const place = await Effect.runPromise(placeOf(process.argv[2] ?? ""))
const runtime = ManagedRuntime.make(RunnerWorld.layer(place))

interface Round {
  readonly callers: number
  readonly entities: number
  readonly seconds: number
}

/** Coprime with the numbers of entities that are used: each caller meets all of them, no two in the same order. */
const stride = 7919

/** Apps that take part: numbered, so that another process finds the same ones. */
const numbers = (from: number, count: number) => Array.from({ length: count }, (_, n) => from + n)

let commands = 0

const setHealthCheck = (n: number) =>
  Effect.gen(function* () {
    const clients = yield* EntityClients
    const command = ++commands
    yield* clients.app(Specimens.appId(n), (app) =>
      app.SetHealthCheck({
        ...Specimens.request(`command-${process.pid}-${command}`),
        deployId: DeployId.make(Specimens.deployId(command)),
        health: { path: `/up/${command}`, startupSeconds: 5 }
      })
    )
  })

const create = ({ from, count, settings }: { from: number; count: number; settings: number }) =>
  Effect.gen(function* () {
    const clients = yield* EntityClients
    const one = (n: number) => {
      const identity = Specimens.identity(n)
      return Effect.andThen(
        clients.app(identity.appId, (app) => app.CreateApp({ ...Specimens.request("create"), identity })),
        Effect.replicateEffect(setHealthCheck(n), settings, { discard: true })
      )
    }
    yield* Effect.forEach(numbers(from, count), one, { concurrency: 128, discard: true })
  })

/** Callers that command without a pause. Fails with the first command that does. */
const round = ({ callers, entities, seconds }: Round) =>
  Effect.gen(function* () {
    const milliseconds: Array<number> = []
    const from = performance.now()
    const until = from + seconds * 1000
    const caller = (first: number) =>
      Effect.gen(function* () {
        for (let n = first; performance.now() < until; n += callers) {
          const asked = performance.now()
          yield* setHealthCheck((n * stride) % entities)
          milliseconds.push(performance.now() - asked)
        }
      })
    yield* Effect.forEach(numbers(0, callers), caller, { concurrency: "unbounded", discard: true })
    const rate = (milliseconds.length * 1000) / (performance.now() - from)
    milliseconds.sort((a, b) => a - b)
    const at = (share: number) => milliseconds[Math.floor((milliseconds.length - 1) * share)] ?? Number.NaN
    return { rate, p50: at(0.5), p99: at(0.99) }
  })

const heapUsed = () => {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

/** Wakes apps that this process has not seen; they stay idle in memory afterwards. */
const activate = (asked: { from: number; count: number; callers: number }) =>
  Effect.gen(function* () {
    const clients = yield* EntityClients
    const before = heapUsed()
    const from = performance.now()
    yield* Effect.forEach(
      numbers(asked.from, asked.count),
      (n) => clients.app(Specimens.appId(n), (app) => app.GetApp()),
      { concurrency: asked.callers, discard: true }
    )
    const rate = (asked.count * 1000) / (performance.now() - from)
    yield* Effect.sleep("500 millis")
    return { rate, heapBytes: (heapUsed() - before) / asked.count }
  })

/** An empty table of the journal's shape, for single rows that know nothing of it. */
const twin = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* sql`CREATE TABLE IF NOT EXISTS twin (LIKE journal INCLUDING ALL)`
  yield* sql`CREATE SEQUENCE IF NOT EXISTS twin_sequence CACHE 100`
})

/** One row and the commands that wrote it, as other programs are to write it. */
const specimen = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const rows = yield* sql<Record<string, unknown>>`
    SELECT entity_id AS "entityId", event::text AS event, actor, request_id AS "requestId" FROM journal
    WHERE event->>'_tag' = 'SettingsChanged' ORDER BY entity_id, sequence DESC LIMIT 1`
  return rows[0]
})

await runtime.context()
serve(
  {
    create: (asked: { from: number; count: number; settings: number }) => runtime.runPromise(create(asked)),
    round: (asked: Round) => runtime.runPromise(round(asked)),
    activate: (asked: { from: number; count: number; callers: number }) =>
      runtime.runPromise(activate(asked)),
    twin: () => runtime.runPromise(twin),
    specimen: () => runtime.runPromise(specimen)
  },
  () => runtime.dispose()
)
