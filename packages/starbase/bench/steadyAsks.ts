/** Asks of App entities at a fixed rate, each repeated for as long as what refuses it passes. */
import { Effect, Schedule } from "effect"
import { createHash } from "node:crypto"
import * as AppId from "@starform/domain/ids/AppId"
import { DeployId, ProjectId, ServiceId } from "@starform/domain/ids/Ids"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import * as Specimens from "../test/entities/Specimens.ts"
import { monotonicMs } from "./agents.ts"

/** What passes: nobody owns the entity now, or its mailbox is full. */
const transient: ReadonlySet<string> = new Set(["Unavailable", "Overloaded"])

/** Longer than any ask waits for its answer. */
const patience = "40 seconds"

/** Every fourth ask is a command, which the new owner has to write. */
const commandEvery = 4

const uuid = (text: string) => {
  const hex = createHash("sha256").update(text).digest("hex")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Numbered, and as scattered over the shards as random ids are; ids that differ in a counter alone share a few shards. */
export const identityOf = (n: number) => {
  const identity = Specimens.identity(n)
  const [projectId, serviceId] = [ProjectId.make(uuid(`project ${n}`)), ServiceId.make(uuid(`service ${n}`))]
  const appId = AppId.format({ projectId, environment: identity.environment, serviceId })
  return { ...identity, projectId, serviceId, appId }
}

export interface Watched {
  /** How many have not answered yet. */
  readonly missing: number
  /** When the last of them answered. */
  readonly lastMs: number
}

/** Since the last tally. */
export interface Tally {
  readonly answered: number
  /** Attempts that were refused and repeated, by what refused them. */
  readonly repeated: Readonly<Record<string, number>>
  readonly failed: Readonly<Record<string, number>>
  /** From when an ask was due to its answer. */
  readonly longestMs: number
  readonly waiting: number
}

/** @param run with the clients of this process */
export const startLoad = (
  run: (effect: Effect.Effect<void, never, EntityClients>) => Promise<void>,
  { entities, perSecond }: { readonly entities: number; readonly perSecond: number }
) => {
  let watching: { readonly missing: Set<number>; readonly sinceMs: number; lastMs: number } | undefined
  let answered = 0
  let longestMs = 0
  let waiting = 0
  let repeated: Record<string, number> = {}
  let failed: Record<string, number> = {}

  const ids = Array.from({ length: entities }, (_, n) => identityOf(n).appId)

  const saw = (entity: number, askedMs: number) => {
    if (watching === undefined || askedMs < watching.sinceMs) return
    if (watching.missing.delete(entity)) watching.lastMs = monotonicMs()
  }

  const send = (n: number) =>
    Effect.gen(function* () {
      const clients = yield* EntityClients
      const entity = ids[n % entities]!
      // Each entity gets commands in its turn, and reads between them.
      if ((n + Math.floor(n / entities)) % commandEvery > 0) {
        yield* clients.app(entity, (app) => app.GetApp())
        return
      }
      yield* clients.app(entity, (app) =>
        app.SetHealthCheck({
          ...Specimens.request(`command-${n}`),
          deployId: DeployId.make(Specimens.deployId(n)),
          health: { path: `/up/${n}`, startupSeconds: 5 }
        })
      )
    })

  const ask = (n: number, dueMs: number) =>
    Effect.suspend(() => {
      const askedMs = monotonicMs()
      return Effect.tap(send(n), () => Effect.sync(() => saw(n % entities, askedMs)))
    }).pipe(
      Effect.tapError(({ _tag }) =>
        Effect.sync(() => {
          if (transient.has(_tag)) repeated[_tag] = (repeated[_tag] ?? 0) + 1
        })
      ),
      Effect.retry({ schedule: Schedule.spaced("100 millis"), while: ({ _tag }) => transient.has(_tag) }),
      Effect.timeout(patience),
      Effect.matchCause({
        onSuccess: () => {
          answered++
          longestMs = Math.max(longestMs, monotonicMs() - dueMs)
        },
        onFailure: (cause) => {
          const error = cause.reasons.map((reason) =>
            reason._tag === "Fail" ? reason.error._tag : reason._tag
          )
          const kind = error.join(" ")
          failed[kind] = (failed[kind] ?? 0) + 1
        }
      })
    )

  const fromMs = monotonicMs()
  let asked = 0
  const timer = setInterval(() => {
    while (fromMs + (asked * 1000) / perSecond <= monotonicMs()) {
      const n = asked++
      waiting++
      void run(ask(n, fromMs + (n * 1000) / perSecond)).finally(() => waiting--)
    }
  }, 2)

  return {
    watch: (from: { readonly entities: ReadonlyArray<number>; readonly sinceMs: number }) => {
      watching = { missing: new Set(from.entities), sinceMs: from.sinceMs, lastMs: from.sinceMs }
    },
    watched: (): Watched => ({ missing: watching?.missing.size ?? 0, lastMs: watching?.lastMs ?? 0 }),
    tally: (): Tally => {
      const tally = { answered, repeated, failed, longestMs, waiting }
      answered = 0
      longestMs = 0
      repeated = {}
      failed = {}
      return tally
    },
    end: () => clearInterval(timer)
  }
}
