/**
 * The loop that every entity runs: decide → append → evolve → reply. The append itself finds out whether the request
 * id is known, so a command is one round trip. It knows the journal and nothing of any business. An entity's folder supplies the pure parts as an `EntityModel`; its behaviour calls `execute`.
 */
import {
  InternalFault,
  NameTaken,
  Overloaded,
  RequestIdReused,
  Unavailable
} from "@starform/domain/errors/RequestErrors"
import { describe, type Principal } from "@starform/domain/model/Principal"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { payloadHash } from "./internal/payloadHash.ts"
import * as Journal from "./Journal.ts"

/** What a decision writes and answers. `reply` sees the state after the events. */
export interface Decision<State, Event, Reply> {
  readonly events: ReadonlyArray<Event>
  readonly reply: (state: State) => Reply
}

/** The pure parts of one entity type. Every function is total and free of effects. */
export interface EntityModel<State, Event, OutboxEffect> {
  readonly type: string
  readonly state: Schema.Codec<State, unknown>
  readonly event: Schema.Codec<Event, unknown>
  readonly effect: Schema.Codec<OutboxEffect, unknown>
  readonly initial: (id: string) => State
  readonly evolve: (state: State, event: Event) => State
  /** Effects that an event causes outside the entity; sees the state after it. */
  readonly effects: (event: Event, state: State) => ReadonlyArray<OutboxEffect>
  readonly reserves: (event: Event, state: State) => ReadonlyArray<Journal.ReservedName>
  readonly releases: (event: Event, state: State) => ReadonlyArray<Journal.ReservedName>
  /** Rows of read models after these events; a later row of the same model and key wins. */
  readonly rows: (events: ReadonlyArray<Event>, state: State) => ReadonlyArray<Journal.ReadModelRow>
}

/** What one append's events make of the state, and what is written beside them. */
export const consequences = <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>,
  before: State,
  events: ReadonlyArray<Event>
) => {
  let state = before
  const effects: Array<OutboxEffect> = []
  const reserve: Array<Journal.ReservedName> = []
  const release: Array<Journal.ReservedName> = []
  for (const event of events) {
    state = model.evolve(state, event)
    effects.push(...model.effects(event, state))
    reserve.push(...model.reserves(event, state))
    release.push(...model.releases(event, state))
  }
  const rows = new Map(model.rows(events, state).map((row) => [`${row.model} ${row.key}`, row]))
  return { state, effects, reserve, release, rows: [...rows.values()] }
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

/** Bounds on snapshots: at most one per this many events and this much time (design §4). */
export const snapshotEveryEvents = 100
export const snapshotEveryMs = 60_000

/** Codecs of kept replies, one per schema: JSON has no `undefined`, which is what `Void` is. */
const replyCodecs = new WeakMap<object, Schema.Codec<unknown, unknown>>()

const replyCodec = <Reply>(reply: Schema.Codec<Reply, unknown>): Schema.Codec<Reply, unknown> => {
  const known = replyCodecs.get(reply)
  if (known !== undefined) return known as Schema.Codec<Reply, unknown>
  const codec: Schema.Codec<Reply, unknown> = Schema.toCodecJson(reply)
  replyCodecs.set(reply, codec as Schema.Codec<unknown, unknown>)
  return codec
}

const makeCodecs = <State, Event, OutboxEffect>(model: EntityModel<State, Event, OutboxEffect>) => ({
  decodeEvents: Schema.decodeUnknownEffect(Schema.Array(model.event)),
  encodeEvents: Schema.encodeEffect(Schema.Array(model.event)),
  encodeEffects: Schema.encodeEffect(Schema.Array(model.effect)),
  decodeState: Schema.decodeUnknownOption(model.state),
  encodeState: Schema.encodeEffect(model.state)
})

type Codecs<State, Event, OutboxEffect> = ReturnType<typeof makeCodecs<State, Event, OutboxEffect>>

/** One set for all entities of a type: an idle entity holds its state and little else. */
const modelCodecs = new WeakMap<object, unknown>()

const codecsOf = <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>
): Codecs<State, Event, OutboxEffect> => {
  const known = modelCodecs.get(model)
  if (known !== undefined) return known as Codecs<State, Event, OutboxEffect>
  const codecs = makeCodecs(model)
  modelCodecs.set(model, codecs)
  return codecs
}

interface Loaded<State> {
  readonly state: State
  readonly sequence: number
  readonly snapshotSequence: number
  readonly snapshotAtMs: number
}

/**
 * Opens an entity without reading anything yet: the first command or read loads it.
 *
 * @errors nothing; a journal that cannot be read shows as `Unavailable` where it is needed, and events that cannot
 * be decoded as `InternalFault` with the entity as reference.
 */
export const open = Effect.fnUntraced(function* <State, Event, OutboxEffect>(
  model: EntityModel<State, Event, OutboxEffect>,
  id: string
): Effect.fn.Return<JournaledEntity<State, Event>, never, Journal.Journal> {
  const journal = yield* Journal.Journal
  const key: Journal.EntityKey = { type: model.type, id }
  const name = `${model.type} ${id}`
  const turn = Semaphore.makeUnsafe(1)
  const { decodeEvents, encodeEvents, encodeEffects, decodeState, encodeState } = codecsOf(model)

  let loaded: Loaded<State> | undefined
  let changed = Deferred.makeUnsafe<void>()

  const announce = Effect.suspend(() => {
    const waiting = changed
    changed = Deferred.makeUnsafe<void>()
    return Deferred.succeed(waiting, undefined)
  })

  const fault = (operation: string) => (error: Schema.SchemaError) =>
    Effect.logError(`${name}: ${operation}`, error).pipe(
      Effect.andThen(Effect.fail(new InternalFault({ reference: name })))
    )

  const toUnavailable = (error: Journal.JournalUnavailable) =>
    Effect.logWarning(`${name}: ${error.message}`, error.cause).pipe(
      Effect.andThen(Effect.fail(new Unavailable({ what: name })))
    )

  const toOverloaded = ({ message, retryAfterSeconds }: Journal.JournalOverloaded) =>
    Effect.logWarning(`${name}: ${message}`).pipe(
      Effect.andThen(Effect.fail(new Overloaded({ what: name, retryAfterSeconds })))
    )

  const load = Effect.gen(function* () {
    const history = yield* journal
      .load(key)
      .pipe(Effect.catchTags({ JournalUnavailable: toUnavailable, JournalOverloaded: toOverloaded }))
    const snapshot = Option.flatMap(history.snapshot, (stored) =>
      Option.map(decodeState(stored.state), (state) => ({ state, stored }))
    )
    const isSnapshotUnreadable = Option.isSome(history.snapshot) && Option.isNone(snapshot)
    const stored = isSnapshotUnreadable
      ? yield* journal.read(key, 0, Number.MAX_SAFE_INTEGER).pipe(Effect.catch(toUnavailable))
      : history.events
    const events = yield* decodeEvents(stored.map(({ event }) => event)).pipe(
      Effect.catch(fault("stored events cannot be read"))
    )
    const base = Option.match(snapshot, {
      onNone: () => ({ state: model.initial(id), sequence: 0, atMs: 0 }),
      onSome: ({ state, stored: { sequence, atMs } }) => ({ state, sequence, atMs })
    })
    const next: Loaded<State> = {
      state: events.reduce(model.evolve, base.state),
      sequence: base.sequence + events.length,
      snapshotSequence: base.sequence,
      snapshotAtMs: base.atMs
    }
    loaded = next
    yield* announce
    return next
  })

  const current = Effect.suspend(() => (loaded === undefined ? load : Effect.succeed(loaded)))

  const drop = Effect.sync(() => {
    loaded = undefined
  })

  const saveSnapshotWhenDue = Effect.fnUntraced(function* (nowMs: number) {
    const present = loaded
    if (present === undefined) return
    if (present.sequence - present.snapshotSequence < snapshotEveryEvents) return
    if (nowMs - present.snapshotAtMs < snapshotEveryMs) return
    const state = yield* encodeState(present.state)
    yield* journal.saveSnapshot(key, { sequence: present.sequence, state, atMs: nowMs })
    loaded = { ...present, snapshotSequence: present.sequence, snapshotAtMs: nowMs }
  })

  /** From here nothing interrupts: the append and the memory that follows it are one step (INV-JRN-6). */
  const commit = Effect.fnUntraced(function* (
    before: Loaded<State>,
    decided: ReadonlyArray<Event>,
    nowMs: number,
    options: { readonly principal: Principal; readonly requestId: string },
    reply: (state: State) => Effect.Effect<Journal.StoredReply | null, InternalFault>
  ) {
    const { state, effects, reserve, release, rows } = consequences(model, before.state, decided)
    const append: Journal.Append = {
      after: before.sequence,
      events: yield* encodeEvents(decided).pipe(Effect.catch(fault("events cannot be written"))),
      actor: describe(options.principal),
      requestId: options.requestId,
      atMs: nowMs,
      reply: yield* reply(state),
      effects:
        effects.length === 0
          ? []
          : yield* encodeEffects(effects).pipe(Effect.catch(fault("effects cannot be written"))),
      reserve,
      release,
      rows
    }
    yield* journal.append(key, append).pipe(
      Effect.catchTags({
        NameHeld: ({ kind, name }) => Effect.fail(new NameTaken({ kind, name })),
        Fenced: (error) =>
          drop.pipe(
            Effect.andThen(Effect.logWarning(error.message)),
            Effect.andThen(Effect.fail(new Unavailable({ what: name })))
          ),
        // An append that is refused or not begun leaves everything as it was: memory is still right.
        JournalOverloaded: toOverloaded,
        JournalRefused: (error) =>
          Effect.logError(`${name}: ${error.message}`, error.cause).pipe(
            Effect.andThen(Effect.fail(new InternalFault({ reference: name })))
          ),
        JournalUnavailable: (error) => Effect.andThen(drop, toUnavailable(error))
      }),
      Effect.tapError((error) =>
        error._tag === "AlreadyAnswered" && error.sequence > before.sequence ? drop : Effect.void
      )
    )
    loaded = { ...before, state, sequence: before.sequence + decided.length }
    yield* announce
    yield* saveSnapshotWhenDue(nowMs).pipe(
      Effect.catch((error) => Effect.logWarning(`${name}: snapshot not written`, error))
    )
    return state
  }, Effect.uninterruptible)

  const execute: JournaledEntity<State, Event>["execute"] = Effect.fnUntraced(function* (options) {
    const hash = payloadHash(options.payload)
    const codec = replyCodec(options.reply)
    const kept = Effect.fnUntraced(function* (first: Journal.StoredReply) {
      if (first.payloadHash !== hash) return yield* new RequestIdReused({ requestId: options.requestId })
      return yield* Schema.decodeUnknownEffect(codec)(first.reply).pipe(
        Effect.catch(fault("a kept reply cannot be read"))
      )
    })
    const before = yield* current
    const nowMs = yield* Clock.currentTimeMillis
    const decided = options.decide(before.state, nowMs)
    if (Result.isFailure(decided)) {
      // A repeat of what was done before gets its first reply, whatever would be decided today.
      const known = yield* journal.recall(key, options.requestId).pipe(Effect.catch(toUnavailable))
      return yield* Option.match(known, { onNone: () => Effect.fail(decided.failure), onSome: kept })
    }
    const decision = decided.success
    return yield* commit(before, decision.events, nowMs, options, (after) =>
      Schema.encodeEffect(codec)(decision.reply(after)).pipe(
        Effect.map((reply) => ({ payloadHash: hash, reply })),
        Effect.catch(fault("the reply cannot be written"))
      )
    ).pipe(Effect.map(decision.reply), Effect.catchTag("AlreadyAnswered", kept))
  }, turn.withPermit)

  const observe: JournaledEntity<State, Event>["observe"] = Effect.fnUntraced(function* (options) {
    const before = yield* current
    const nowMs = yield* Clock.currentTimeMillis
    const decision = yield* Effect.fromResult(options.decide(before.state, nowMs))
    if (decision.events.length === 0) return decision.reply(before.state)
    const requestId = `${options.origin}#${before.sequence + 1}`
    const state = yield* commit(
      before,
      decision.events,
      nowMs,
      { principal: options.principal, requestId },
      () => Effect.succeed(null)
    ).pipe(Effect.catchTag("AlreadyAnswered", (error) => Effect.die(error)))
    return decision.reply(state)
  }, turn.withPermit)

  const state = Effect.suspend(() =>
    loaded === undefined
      ? turn.withPermit(current).pipe(Effect.map((present) => present.state))
      : Effect.succeed(loaded.state)
  )

  const reload = turn.withPermit(Effect.andThen(drop, current)).pipe(Effect.map((present) => present.state))

  const awaitState: JournaledEntity<State, Event>["awaitState"] = (until, wait) => {
    // A plain pull is the most frequent ask of all: it takes no timer, and no fiber beside its own.
    if (Duration.isZero(Duration.fromInputUnsafe(wait))) return state
    const next: Effect.Effect<State, ReadError> = Effect.suspend(() => {
      const signal = changed
      return Effect.filterOrElse(state, until, () => Effect.andThen(Deferred.await(signal), next))
    })
    return Effect.timeoutOrElse(next, { duration: wait, orElse: () => state })
  }

  const sequence = () => loaded?.sequence ?? null

  return { execute, observe, peek: () => loaded?.state, state, sequence, reload, awaitState }
})
