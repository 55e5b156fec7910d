/**
 * Effects that events cause outside their entity, written in the transaction of the append and performed at
 * least once by the relay, in order per entity.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { EntityKey, JournalUnavailable } from "./Journal.ts"

export interface OutboxRow {
  readonly key: EntityKey
  /** Sequence of the event that caused it, and its place among that command's effects. */
  readonly sequence: number
  readonly position: number
  readonly effect: unknown
  /** Failed attempts so far. */
  readonly attempts: number
}

export class Outbox extends Context.Service<
  Outbox,
  {
    /** The oldest row of each entity whose time has come, at most `limit`. Later rows of an entity wait for it. */
    readonly due: (
      nowMs: number,
      limit: number
    ) => Effect.Effect<ReadonlyArray<OutboxRow>, JournalUnavailable>
    /** Removes rows after their effect was acknowledged. */
    readonly done: (rows: ReadonlyArray<OutboxRow>) => Effect.Effect<void, JournalUnavailable>
    /** Keeps a row for later and counts the attempt. `problem` is for operators. */
    readonly postpone: (
      row: OutboxRow,
      untilMs: number,
      problem: string
    ) => Effect.Effect<void, JournalUnavailable>
    /**
     * Starts listening for the life of the scope. The inner effect completes whenever an append may have added
     * rows (also when none did), and fails when listening has ended: then it must be started anew.
     */
    readonly awaitWork: Effect.Effect<
      Effect.Effect<void, JournalUnavailable>,
      JournalUnavailable,
      Scope.Scope
    >
  }
>()("@starform/starbase/journal/Outbox") {}
