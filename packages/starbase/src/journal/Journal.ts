/**
 * The port to durable state: append-only events per entity, replies by request id, snapshots.
 * Called by `JournaledEntity` alone; README beside this file has the invariants.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** Which entity. `id` may hold any text; it is never interpreted here. */
export interface EntityKey {
  readonly type: string
  readonly id: string
}

/** One event as stored: JSON, encoded by the entity's event schema. */
export interface StoredEvent {
  readonly sequence: number
  readonly event: unknown
  readonly actor: string
  readonly requestId: string
  readonly atMs: number
}

export interface StoredSnapshot {
  readonly sequence: number
  readonly state: unknown
  readonly atMs: number
}

export interface StoredReply {
  readonly payloadHash: string
  readonly reply: unknown
}

/** A name that must be unique beyond one entity, e.g. `{ kind: "hostname", name: "api-shop.example" }`. */
export interface ReservedName {
  readonly kind: string
  readonly name: string
}

/** A row of a read model; `row: null` removes it. `parent` is what lists are asked by. */
export interface ReadModelRow {
  readonly model: string
  readonly key: string
  readonly parent: string
  readonly row: unknown
}

/** Everything that one command writes. */
export interface Append {
  /** Sequence of the newest event that the writer knows; 0 for an entity without history. */
  readonly after: number
  /** At least one, unless only the reply is to be kept. */
  readonly events: ReadonlyArray<unknown>
  readonly actor: string
  readonly requestId: string
  readonly atMs: number
  /** Kept under the request id; `null` for level-triggered input that is idempotent by its meaning. */
  readonly reply: StoredReply | null
  readonly effects: ReadonlyArray<unknown>
  readonly reserve: ReadonlyArray<ReservedName>
  readonly release: ReadonlyArray<ReservedName>
  readonly rows: ReadonlyArray<ReadModelRow>
}

/** Another incarnation appended first; nothing of this append was written. */
export class Fenced extends Schema.TaggedError<Fenced>()("Fenced", {
  type: Schema.String,
  id: Schema.String
}) {
  override get message() {
    return `${this.type} ${this.id}: another incarnation appended first`
  }
}

/** A name is held by another entity; nothing of this append was written. */
export class NameHeld extends Schema.TaggedError<NameHeld>()("NameHeld", {
  kind: Schema.String,
  name: Schema.String
}) {
  override get message() {
    return `${this.kind} ${this.name} is held by another entity`
  }
}

/** The request id took effect before; nothing of this append was written. */
export class AlreadyAnswered extends Schema.TaggedError<AlreadyAnswered>()("AlreadyAnswered", {
  payloadHash: Schema.String,
  reply: Schema.Unknown,
  /** The entity's sequence after the first append: one above the writer's own means that its memory is behind. */
  sequence: Schema.Int
}) {
  override get message() {
    return "the request id was answered before"
  }
}

/** The store cannot hold this append and never will; nothing of it was written. */
export class JournalRefused extends Schema.TaggedError<JournalRefused>()("JournalRefused", {
  type: Schema.String,
  id: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `${this.type} ${this.id}: the journal cannot hold this append`
  }
}

/** More waits for the store than this process holds; nothing was begun. */
export class JournalOverloaded extends Schema.TaggedError<JournalOverloaded>()("JournalOverloaded", {
  operation: Schema.String,
  retryAfterSeconds: Schema.Int
}) {
  override get message() {
    return `too much waits for the journal: ${this.operation}`
  }
}

/** The store did not answer. After an append the outcome is unknown. */
export class JournalUnavailable extends Schema.TaggedError<JournalUnavailable>()("JournalUnavailable", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `journal ${this.operation} failed`
  }
}

/** In this order: a request id that is known is answered, whatever else is the matter. */
export type AppendError =
  | AlreadyAnswered
  | Fenced
  | NameHeld
  | JournalRefused
  | JournalOverloaded
  | JournalUnavailable

export interface History {
  readonly snapshot: Option.Option<StoredSnapshot>
  readonly events: ReadonlyArray<StoredEvent>
}

export class Journal extends Context.Service<
  Journal,
  {
    /** The newest snapshot, if any, and every event after it, in order. */
    readonly load: (key: EntityKey) => Effect.Effect<History, JournalUnavailable | JournalOverloaded>
    /** Atomic (INV-JRN-3), beside others and apart from them (INV-JRN-9). Uninterruptible. */
    readonly append: (key: EntityKey, append: Append) => Effect.Effect<void, AppendError>
    /** The kept reply of a request id. */
    readonly recall: (
      key: EntityKey,
      requestId: string
    ) => Effect.Effect<Option.Option<StoredReply>, JournalUnavailable>
    /** Replaces an older snapshot; a lower sequence than the stored one changes nothing. */
    readonly saveSnapshot: (
      key: EntityKey,
      snapshot: StoredSnapshot
    ) => Effect.Effect<void, JournalUnavailable>
    /** A page of events with `sequence > after`, oldest first, at most `limit`. */
    readonly read: (
      key: EntityKey,
      after: number,
      limit: number
    ) => Effect.Effect<ReadonlyArray<StoredEvent>, JournalUnavailable>
  }
>()("@starform/starbase/journal/Journal") {}
