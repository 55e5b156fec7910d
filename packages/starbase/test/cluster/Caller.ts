/** Whoever asks Starbase: repeats under the same request id while nobody can answer, and keeps what was acknowledged. */
import { Effect, Schedule } from "effect"
import type { EntityKey } from "@starform/starbase/journal/Journal"
import type { Acknowledgement } from "../invariants/Evidence.ts"
import type { Refused, RunnerProcess } from "./RunnerProcess.ts"

/** What passes: nobody owns the entity now, its mailbox is full, or the door that was asked is gone. */
const transient: ReadonlySet<string> = new Set(["Unavailable", "Overloaded", "Gone"])

/** How long a caller repeats before it calls the entity stuck. */
const patience = "45 seconds"

/** @returns the reply; whatever does not pass, or lasts for longer than a caller's patience, is a defect */
const patiently = (what: string, ask: Effect.Effect<unknown, Refused>) =>
  ask.pipe(
    Effect.retry({ schedule: Schedule.spaced("100 millis"), while: ({ tag }) => transient.has(tag) }),
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () => Effect.die(new Error(`${what} was not answered within ${patience}`))
    }),
    Effect.catch(({ tag, message }) => Effect.die(new Error(`${what}: ${tag}: ${message}`)))
  )

/** As every door sends it: what JSON can say of it. */
const plain = (reply: unknown): unknown => JSON.parse(JSON.stringify(reply ?? null))

export interface Caller {
  /** A command until it is acknowledged. */
  readonly command: <Payload extends { readonly requestId: string }>(
    entity: EntityKey,
    rpc: string,
    payload: Payload,
    appends?: number
  ) => Effect.Effect<unknown>
  /** Anything else, until it is answered. */
  readonly ask: (entity: EntityKey, rpc: string, payload?: unknown, waitMs?: number) => Effect.Effect<unknown>
  readonly acknowledged: ReadonlyArray<Acknowledgement>
}

/** @param doors asked in turn */
export const make = (doors: ReadonlyArray<RunnerProcess>): Caller => {
  const acknowledged: Array<Acknowledgement> = []
  let asks = 0
  const door = () => doors[asks++ % doors.length]!
  const ask: Caller["ask"] = (entity, rpc, payload, waitMs) =>
    patiently(
      `${rpc} of ${entity.type} ${entity.id}`,
      Effect.suspend(() => door().ask(entity, rpc, payload, waitMs))
    )
  return {
    ask,
    command: (entity, rpc, payload, appends) =>
      Effect.map(ask(entity, rpc, payload), (reply) => {
        const known = { entity, requestId: payload.requestId, reply: plain(reply) }
        acknowledged.push(appends === undefined ? known : { ...known, appends })
        return reply
      }),
    acknowledged
  }
}
