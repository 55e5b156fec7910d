/** What may be wrong with one tenant's things alone, and with nothing else. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Journal from "@starform/starbase/journal/Journal"
import { Outbox, type OutboxRow } from "@starform/starbase/journal/Outbox"
import type { Stores } from "./FaultyStore.ts"

/** Each is of the faulty tenant's apps, from the moment on at which the fault begins. */
export const faults = [
  "its builds never end",
  "its builds fail",
  "its pods never become available",
  "its pods crash",
  "its cluster's agent is gone",
  "its journals cannot be read",
  "its journals do not answer",
  "its appends are refused",
  "its effects cannot be performed",
  "its app is asked too much"
] as const
export type TenantFault = (typeof faults)[number]

/** An event that no version of Starbase has written. */
const unreadable = { _tag: "OfAnotherVersion" }

/** @param isOf whether an entity is one of the tenant's, now that the fault lasts */
export const stores = (healthy: Stores, fault: TenantFault, isOf: (id: string) => boolean): Stores => {
  const journal = Context.get(healthy, Journal.Journal)
  const outbox = Context.get(healthy, Outbox)
  const garbled = (events: ReadonlyArray<Journal.StoredEvent>) =>
    events.map((event) => ({ ...event, event: unreadable }))
  const unless = <A, E, E2>(id: string, whole: Effect.Effect<A, E>, broken: Effect.Effect<A, E2>) =>
    Effect.suspend((): Effect.Effect<A, E | E2> => (isOf(id) ? broken : whole))
  const effects = (rows: ReadonlyArray<OutboxRow>) =>
    rows.map((row) => (isOf(row.key.id) ? { ...row, effect: unreadable } : row))
  switch (fault) {
    case "its journals cannot be read":
      return Context.add(healthy, Journal.Journal, {
        ...journal,
        load: (key) => {
          const history = journal.load(key)
          const garbledHistory = Effect.map(history, (whole) => ({ ...whole, events: garbled(whole.events) }))
          return unless(key.id, history, garbledHistory)
        }
      })
    case "its journals do not answer":
      return Context.add(healthy, Journal.Journal, {
        ...journal,
        load: (key) => unless(key.id, journal.load(key), Effect.never),
        recall: (key, requestId) => unless(key.id, journal.recall(key, requestId), Effect.never)
      })
    case "its appends are refused":
      return Context.add(healthy, Journal.Journal, {
        ...journal,
        append: (key, append) =>
          unless(
            key.id,
            journal.append(key, append),
            Effect.fail(new Journal.JournalRefused({ ...key, cause: "text that cannot be held" }))
          )
      })
    case "its effects cannot be performed":
      return Context.add(healthy, Outbox, {
        ...outbox,
        due: (nowMs, limit) => Effect.map(outbox.due(nowMs, limit), effects)
      })
    default:
      return healthy
  }
}
