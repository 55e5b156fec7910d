/**
 * A runner of the failover benchmark. One of them also asks: every entity at its own moment of each interval, again and
 * again, as callers do who repeat what is transient. Arguments: the database's URL, the master key.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { Context, Effect, ManagedRuntime } from "effect"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { serve } from "../../../bench/program.ts"
import * as RunnerWorld from "../test/cluster/RunnerWorld.ts"
import * as Specimens from "../test/entities/Specimens.ts"
import { placeOf } from "./place.ts"

const [, , databaseUrl = "", masterKey = ""] = process.argv
const place = await Effect.runPromise(placeOf(databaseUrl, masterKey))
const runtime = ManagedRuntime.make(RunnerWorld.layer(place))
const services = await runtime.context()
const clients = Context.get(services, EntityClients)

const wallclock = () => performance.timeOrigin + performance.now()

const create = (entities: number) =>
  runtime.runPromise(
    Effect.forEach(
      Array.from({ length: entities }, (_, n) => Specimens.identity(n)),
      (identity) =>
        Effect.retry(
          clients.app(identity.appId, (app) => app.CreateApp({ ...Specimens.request("create"), identity })),
          { while: ({ _tag }) => _tag === "Unavailable", times: 20 }
        ),
      { concurrency: 16, discard: true }
    )
  )

const owned = (entities: number) =>
  Array.from({ length: entities }, (_, n) => n).filter((n) => RunnerWorld.owns(services, Specimens.appId(n)))

/** Of each entity: when the newest ask that was answered had begun, and the longest time without an answer. */
let answeredFrom: Array<number> = []
let answeredAt: Array<number> = []
let silences: Array<number> = []
let repeated = 0
const failures: Array<string> = []
const asking = { isOn: false }

const askForEver = ({ entities, everyMs }: { readonly entities: number; readonly everyMs: number }) => {
  asking.isOn = true
  answeredFrom = Array.from({ length: entities }, wallclock)
  answeredAt = [...answeredFrom]
  silences = answeredFrom.map(() => 0)
  const one = async (n: number) => {
    const first = wallclock() + (everyMs * n) / entities
    for (let turn = 0; asking.isOn; turn++) {
      await sleep(Math.max(0, first + turn * everyMs - wallclock()))
      const from = wallclock()
      const ask = clients
        .app(Specimens.appId(n), (app) => app.GetApp())
        .pipe(
          Effect.tapError(() => Effect.sync(() => repeated++)),
          Effect.retry({ while: ({ _tag }) => _tag === "Unavailable" || _tag === "Overloaded", times: 20 })
        )
      const exit = await runtime.runPromise(Effect.result(ask))
      if (exit._tag === "Failure") failures.push(exit.failure._tag)
      else {
        const now = wallclock()
        silences[n] = Math.max(silences[n]!, now - answeredAt[n]!)
        answeredFrom[n] = from
        answeredAt[n] = now
      }
    }
  }
  for (let n = 0; n < entities; n++) one(n).catch(() => {})
}

serve(
  {
    create,
    owned,
    askForEver,
    /** How many of these have answered an ask that began after `sinceMs`. */
    answered: ({ of, sinceMs }: { readonly of: ReadonlyArray<number>; readonly sinceMs: number }) => ({
      count: of.filter((n) => answeredFrom[n]! >= sinceMs).length,
      nowMs: wallclock()
    }),
    /** The longest silence of these since it was last asked for, and what became of asks meanwhile. */
    silence: (of: ReadonlyArray<number>) => {
      const longestMs = Math.max(0, ...of.map((n) => silences[n]!))
      silences = silences.map(() => 0)
      const told = { longestMs, repeated, failures: failures.splice(0) }
      repeated = 0
      return told
    },
    now: wallclock,
    hush: () => {
      asking.isOn = false
    }
  },
  () => runtime.dispose()
)
