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

/** What one entity's events still have to cause; all but `rows` is of the row that is next. */
export interface OutboxBacklog {
  readonly key: EntityKey
  readonly rows: number
  /** Its tag alone: an effect may carry sealed values. */
  readonly effect: string
  /** When its event was appended. */
  readonly atMs: number | null
  readonly attempts: number
  readonly dueMs: number
  readonly problem: string | null
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
    /** For operators: the most failed attempts first, then the oldest; of one entity when `only` is given. */
    readonly backlog: (
      limit: number,
      only?: EntityKey
    ) => Effect.Effect<ReadonlyArray<OutboxBacklog>, JournalUnavailable>
    /** An entity's postponed rows are due now, and the relay is told. */
    readonly hasten: (key: EntityKey) => Effect.Effect<void, JournalUnavailable>
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
