/**
 * The loop that every entity runs: decide → append → evolve → reply. The append itself finds out whether the request
 * id is known, so a command is one round trip. It knows the journal and nothing of any business. An entity's folder supplies the pure parts as an `EntityModel`; its behaviour calls `execute`.
 */
import type {
  NameTaken,
  InternalFault,
  Overloaded,
  RequestIdReused,
  Unavailable
} from "@starform/domain/errors/RequestErrors"
import type { Principal } from "@starform/domain/model/Principal"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type { EntityModel } from "./EntityModel.ts"
import { Incarnation } from "./internal/Incarnation.ts"
import * as Journal from "./Journal.ts"

/** What a decision writes and answers. `reply` sees the state after the events. */
export interface Decision<State, Event, Reply> {
  readonly events: ReadonlyArray<Event>
  readonly reply: (state: State) => Reply
}

export type Decide<State, Event, Reply, Rejection> = (
  state: State,
  nowMs: number
) => Result.Result<Decision<State, Event, Reply>, Rejection>

/** What `execute` can answer beside the rejections of the entity's own `decide`. */
export type ExecuteError = ReadError | RequestIdReused | NameTaken

/** What any use of an entity can meet. */
export type ReadError = Unavailable | Overloaded | InternalFault

export interface Execute<State, Event, Reply, Rejection> {
  readonly requestId: string
  readonly principal: Principal
  /** The command as it came: its hash tells a repeat from a reuse of the request id. */
  readonly payload: unknown
  readonly reply: Schema.Codec<Reply, unknown>
  readonly decide: Decide<State, Event, Reply, Rejection>
}

export interface Observe<State, Event, Reply, Rejection> {
  readonly origin: string
  readonly principal: Principal
  readonly decide: Decide<State, Event, Reply, Rejection>
}

/** One incarnation of one entity. */
export interface JournaledEntity<State, Event> {
  /** Takes effect at most once per request id; a repeat gets the first reply. Uninterruptible from append to evolve. */
  readonly execute: <Reply, Rejection>(
    options: Execute<State, Event, Reply, Rejection>
  ) => Effect.Effect<Reply, Rejection | ExecuteError>
  /** For level-triggered input that is idempotent by its meaning: no reply is kept, and no event means no write. */
  readonly observe: <Reply, Rejection>(
    options: Observe<State, Event, Reply, Rejection>
  ) => Effect.Effect<Reply, Rejection | ReadError | NameTaken>
  /** The current state; reads the journal only when this incarnation holds none. */
  readonly state: Effect.Effect<State, ReadError>
  /** What is in memory, without a look at the journal; `undefined` while this incarnation holds no state. */
  readonly peek: () => State | undefined
  /** Of the newest event in memory; `null` while this incarnation holds no state. */
  readonly sequence: () => number | null
  /** Drops what is in memory and reads the journal. */
  readonly reload: Effect.Effect<State, ReadError>
  /** The first state for which `until` holds, or the current one after `wait`. Never holds up commands. */
  readonly awaitState: (
    until: (state: State) => boolean,
    wait: Duration.Input
  ) => Effect.Effect<State, ReadError>
}

/**
 * Opens an entity without reading anything yet: the first command or read loads it.
 *
 * @errors nothing; a journal that cannot be read shows as `Unavailable` where it is needed, and events that cannot
 * be decoded as `InternalFault` with the entity as reference.
 */
export const open = <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>,
  id: string
): Effect.Effect<JournaledEntity<State, Event>, never, Journal.Journal> =>
  Effect.map(
    Journal.Journal,
    (journal) =>
      // What its effects are is of no more concern: they are encoded by their own schema.
      new Incarnation(journal, model as EntityModel<State, Event, unknown>, id)
  )
