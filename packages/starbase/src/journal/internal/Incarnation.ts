/**
 * One incarnation of one entity, as the loop of `JournaledEntity` runs it. A class, and functions of the module: closures
 * would be kept per entity, and thousands of entities are idle in one process.
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
import { consequences, type EntityModel } from "../EntityModel.ts"
import type * as Journal from "../Journal.ts"
import type { Execute, ExecuteError, JournaledEntity, Observe, ReadError } from "../JournaledEntity.ts"
import { snapshotEveryEvents, snapshotEveryMs } from "../JournalSettings.ts"
import { type Codecs, codecsOf, replyCodec } from "./codecs.ts"
import { payloadHash } from "./payloadHash.ts"

interface Loaded<State> {
  readonly state: State
  readonly sequence: number
  readonly snapshotSequence: number
  readonly snapshotAtMs: number
}

export class Incarnation<State, Event> implements JournaledEntity<State, Event> {
  readonly journal: Journal.Journal["Service"]
  readonly model: EntityModel<State, Event, unknown>
  readonly key: Journal.EntityKey
  #turn: Semaphore.Semaphore | undefined = undefined
  loaded: Loaded<State> | undefined = undefined
  /** Made by the first who waits for the next change. */
  changed: Deferred.Deferred<void> | undefined = undefined

  constructor(journal: Journal.Journal["Service"], model: EntityModel<State, Event, unknown>, id: string) {
    this.journal = journal
    this.model = model
    this.key = { type: model.type, id }
  }

  /** One command at a time. Made by the first who needs it. */
  get turn(): Semaphore.Semaphore {
    return (this.#turn ??= Semaphore.makeUnsafe(1))
  }

  get name(): string {
    return `${this.key.type} ${this.key.id}`
  }

  get codecs(): Codecs<State, Event, unknown> {
    return codecsOf(this.model)
  }

  peek(): State | undefined {
    return this.loaded?.state
  }

  sequence(): number | null {
    return this.loaded?.sequence ?? null
  }

  get state(): Effect.Effect<State, ReadError> {
    return Effect.suspend(() =>
      this.loaded === undefined
        ? this.turn.withPermit(current(this)).pipe(Effect.map(stateOf))
        : Effect.succeed(this.loaded.state)
    )
  }

  get reload(): Effect.Effect<State, ReadError> {
    return this.turn.withPermit(Effect.andThen(drop(this), current(this))).pipe(Effect.map(stateOf))
  }

  execute<Reply, Rejection>(options: Execute<State, Event, Reply, Rejection>) {
    return this.turn.withPermit(execute(this, options))
  }

  observe<Reply, Rejection>(options: Observe<State, Event, Reply, Rejection>) {
    return this.turn.withPermit(observe(this, options))
  }

  awaitState(until: (state: State) => boolean, wait: Duration.Input): Effect.Effect<State, ReadError> {
    // A plain pull is the most frequent ask of all: it takes no timer, and no fiber beside its own.
    if (Duration.isZero(Duration.fromInputUnsafe(wait))) return this.state
    const next: Effect.Effect<State, ReadError> = Effect.suspend(() => {
      const signal = (this.changed ??= Deferred.makeUnsafe<void>())
      return Effect.filterOrElse(this.state, until, () => Effect.andThen(Deferred.await(signal), next))
    })
    return Effect.timeoutOrElse(next, { duration: wait, orElse: () => this.state })
  }
}

interface Named {
  readonly name: string
}

const stateOf = <State>(present: Loaded<State>): State => present.state

const announce = <State, Event>(self: Incarnation<State, Event>) =>
  Effect.suspend(() => {
    const waiting = self.changed
    self.changed = undefined
    return waiting === undefined ? Effect.void : Deferred.succeed(waiting, undefined)
  })

const drop = <State, Event>(self: Incarnation<State, Event>) =>
  Effect.sync(() => {
    self.loaded = undefined
  })

const fault = (self: Named, operation: string) => (error: unknown) =>
  Effect.logError(`${self.name}: ${operation}`, error).pipe(
    Effect.andThen(Effect.fail(new InternalFault({ reference: self.name })))
  )

const toUnavailable = (self: Named) => (error: Journal.JournalUnavailable) =>
  Effect.logWarning(`${self.name}: ${error.message}`, error.cause).pipe(
    Effect.andThen(Effect.fail(new Unavailable({ what: self.name })))
  )

const toOverloaded =
  (self: Named) =>
  ({ message, retryAfterSeconds }: Journal.JournalOverloaded) =>
    Effect.logWarning(`${self.name}: ${message}`).pipe(
      Effect.andThen(Effect.fail(new Overloaded({ what: self.name, retryAfterSeconds })))
    )

const load = Effect.fnUntraced(function* <State, Event>(self: Incarnation<State, Event>) {
  const { journal, key, model, codecs } = self
  const history = yield* journal
    .load(key)
    .pipe(
      Effect.catchTags({ JournalUnavailable: toUnavailable(self), JournalOverloaded: toOverloaded(self) })
    )
  const snapshot = Option.flatMap(history.snapshot, (stored) =>
    Option.map(codecs.decodeState(stored.state), (state) => ({ state, stored }))
  )
  const isSnapshotUnreadable = Option.isSome(history.snapshot) && Option.isNone(snapshot)
  const stored = isSnapshotUnreadable
    ? yield* journal.read(key, 0, Number.MAX_SAFE_INTEGER).pipe(Effect.catch(toUnavailable(self)))
    : history.events
  const events = yield* codecs
    .decodeEvents(stored.map(({ event }) => event))
    .pipe(Effect.catch(fault(self, "stored events cannot be read")))
  const base = Option.match(snapshot, {
    onNone: () => ({ state: model.initial(key.id), sequence: 0, atMs: 0 }),
    onSome: ({ state, stored: { sequence, atMs } }) => ({ state, sequence, atMs })
  })
  const next: Loaded<State> = {
    state: events.reduce(model.evolve, base.state),
    sequence: base.sequence + events.length,
    snapshotSequence: base.sequence,
    snapshotAtMs: base.atMs
  }
  self.loaded = next
  yield* announce(self)
  return next
})

const current = <State, Event>(self: Incarnation<State, Event>): Effect.Effect<Loaded<State>, ReadError> =>
  Effect.suspend(() => (self.loaded === undefined ? load(self) : Effect.succeed(self.loaded)))

const saveSnapshotWhenDue = Effect.fnUntraced(function* <State, Event>(
  self: Incarnation<State, Event>,
  nowMs: number
) {
  const present = self.loaded
  if (present === undefined) return
  if (present.sequence - present.snapshotSequence < snapshotEveryEvents) return
  if (nowMs - present.snapshotAtMs < snapshotEveryMs) return
  const state = yield* self.codecs.encodeState(present.state)
  yield* self.journal.saveSnapshot(self.key, { sequence: present.sequence, state, atMs: nowMs })
  self.loaded = { ...present, snapshotSequence: present.sequence, snapshotAtMs: nowMs }
})

/** From here nothing interrupts: the append and the memory that follows it are one step (INV-JRN-6). */
const commit = Effect.fnUntraced(function* <State, Event>(
  self: Incarnation<State, Event>,
  before: Loaded<State>,
  decided: ReadonlyArray<Event>,
  nowMs: number,
  options: { readonly principal: Principal; readonly requestId: string },
  reply: (state: State) => Effect.Effect<Journal.StoredReply | null, InternalFault>
) {
  const { codecs, journal, key, model, name } = self
  const { state, effects, reserve, release, rows } = consequences(model, before.state, decided)
  const append: Journal.Append = {
    after: before.sequence,
    events: yield* codecs.encodeEvents(decided).pipe(Effect.catch(fault(self, "events cannot be written"))),
    actor: describe(options.principal),
    requestId: options.requestId,
    atMs: nowMs,
    reply: yield* reply(state),
    effects:
      effects.length === 0
        ? []
        : yield* codecs.encodeEffects(effects).pipe(Effect.catch(fault(self, "effects cannot be written"))),
    reserve,
    release,
    rows
  }
  yield* journal.append(key, append).pipe(
    Effect.catchTags({
      NameHeld: ({ kind, name }) => Effect.fail(new NameTaken({ kind, name })),
      Fenced: (error) =>
        drop(self).pipe(
          Effect.andThen(Effect.logWarning(error.message)),
          Effect.andThen(Effect.fail(new Unavailable({ what: name })))
        ),
      // An append that is refused or not begun leaves everything as it was: memory is still right.
      JournalOverloaded: toOverloaded(self),
      JournalRefused: (error) => fault(self, error.message)(error.cause),
      JournalUnavailable: (error) => Effect.andThen(drop(self), toUnavailable(self)(error))
    }),
    Effect.tapError((error) =>
      error._tag === "AlreadyAnswered" && error.sequence > before.sequence ? drop(self) : Effect.void
    )
  )
  self.loaded = { ...before, state, sequence: before.sequence + decided.length }
  yield* announce(self)
  yield* saveSnapshotWhenDue(self, nowMs).pipe(
    Effect.catch((error) => Effect.logWarning(`${name}: snapshot not written`, error))
  )
  return state
}, Effect.uninterruptible)

const execute = Effect.fnUntraced(function* <State, Event, Reply, Rejection>(
  self: Incarnation<State, Event>,
  options: Execute<State, Event, Reply, Rejection>
): Effect.fn.Return<Reply, Rejection | ExecuteError> {
  const hash = payloadHash(options.payload)
  const codec = replyCodec(options.reply)
  const kept = Effect.fnUntraced(function* (first: Journal.StoredReply) {
    if (first.payloadHash !== hash) return yield* new RequestIdReused({ requestId: options.requestId })
    return yield* Schema.decodeUnknownEffect(codec)(first.reply).pipe(
      Effect.catch(fault(self, "a kept reply cannot be read"))
    )
  })
  const before = yield* current(self)
  const nowMs = yield* Clock.currentTimeMillis
  const decided = options.decide(before.state, nowMs)
  if (Result.isFailure(decided)) {
    // A repeat of what was done before gets its first reply, whatever would be decided today.
    const known = yield* self.journal
      .recall(self.key, options.requestId)
      .pipe(Effect.catch(toUnavailable(self)))
    return yield* Option.match(known, { onNone: () => Effect.fail(decided.failure), onSome: kept })
  }
  const decision = decided.success
  return yield* commit(self, before, decision.events, nowMs, options, (after) =>
    Schema.encodeEffect(codec)(decision.reply(after)).pipe(
      Effect.map((reply) => ({ payloadHash: hash, reply })),
      Effect.catch(fault(self, "the reply cannot be written"))
    )
  ).pipe(Effect.map(decision.reply), Effect.catchTag("AlreadyAnswered", kept))
})

const observe = Effect.fnUntraced(function* <State, Event, Reply, Rejection>(
  self: Incarnation<State, Event>,
  options: Observe<State, Event, Reply, Rejection>
): Effect.fn.Return<Reply, Rejection | ReadError | NameTaken> {
  const before = yield* current(self)
  const nowMs = yield* Clock.currentTimeMillis
  const decision = yield* Effect.fromResult(options.decide(before.state, nowMs))
  if (decision.events.length === 0) return decision.reply(before.state)
  const requestId = `${options.origin}#${before.sequence + 1}`
  const state = yield* commit(
    self,
    before,
    decision.events,
    nowMs,
    { principal: options.principal, requestId },
    () => Effect.succeed(null)
  ).pipe(Effect.catchTag("AlreadyAnswered", (error) => Effect.die(error)))
  return decision.reply(state)
})
