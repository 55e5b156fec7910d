/**
 * What every incarnation of every entity does now: requests that wait, requests in flight, the last errors. Wired once
 * per entity type, around its handlers; the process's register of incarnations is what operators' doors look into.
 */
import type { WireError } from "@starform/domain/errors/Reaction"
import { describe, type Principal } from "@starform/domain/model/Principal"
import type { Incarnation, RecentError, RequestInFlight } from "@starform/domain/protocol/OperatorRpcs"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Entity from "effect/cluster/Entity"
import type { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Rpc from "effect/rpc/Rpc"

/** Errors that an incarnation remembers. */
export const errorsKept = 20

/** Requests in flight that are shown by name; a Cluster may have many pulls parked. */
export const inFlightShown = 100

interface Recorded {
  readonly tag: string
  readonly requestId: string | null
  readonly principal: string | null
  readonly arrivedMs: number
}

/** What an incarnation is asked for by operators, within this process. */
export interface Watched {
  readonly look: Effect.Effect<OwnedIncarnation>
}

/** An incarnation, and the runner (`host:port`) that it lives on. */
export interface OwnedIncarnation {
  readonly owner: string
  readonly incarnation: Incarnation
}

/** The incarnations of this process, by entity. */
export class EntityActivity extends Context.Service<
  EntityActivity,
  {
    readonly enter: (type: string, id: string, watched: Watched) => void
    /** Leaves alone an incarnation that came after. */
    readonly leave: (type: string, id: string, watched: Watched) => void
    readonly find: (type: string, id: string) => Effect.Effect<Option.Option<Watched>>
  }
>()("@starform/starbase/entities/EntityActivity") {}

export const layer: Layer.Layer<EntityActivity> = Layer.sync(EntityActivity, () => {
  const types = new Map<string, Map<string, Watched>>()
  const residents = (type: string) => {
    const known = types.get(type) ?? new Map<string, Watched>()
    types.set(type, known)
    return known
  }
  return EntityActivity.of({
    enter: (type, id, watched) => {
      residents(type).set(id, watched)
    },
    leave: (type, id, watched) => {
      if (residents(type).get(id) === watched) residents(type).delete(id)
    },
    find: (type, id) => Effect.sync(() => Option.fromNullishOr(residents(type).get(id)))
  })
})

const isPrincipal = (value: unknown): value is Principal =>
  Predicate.hasProperty(value, "_tag") && Predicate.isString(value._tag)

const recordedOf = (request: unknown, arrivedMs: number): Recorded => {
  const tag =
    Predicate.hasProperty(request, "tag") && Predicate.isString(request.tag) ? request.tag : "unknown"
  const payload = Predicate.hasProperty(request, "payload") ? request.payload : undefined
  const requestId =
    Predicate.hasProperty(payload, "requestId") && Predicate.isString(payload.requestId)
      ? payload.requestId
      : null
  const principal =
    Predicate.hasProperty(payload, "principal") && isPrincipal(payload.principal)
      ? describe(payload.principal)
      : null
  return { tag, requestId, principal, arrivedMs }
}

const isWireError = (error: unknown): error is WireError & { readonly _tag: string } =>
  Predicate.hasProperty(error, "_tag") && Predicate.hasProperty(error, "reaction")

/** Of a defect nothing but its name is told: its text may hold anything. */
const errorOf = (
  cause: Cause.Cause<unknown>
): { readonly error: string; readonly line: string } | undefined => {
  const failure = cause.reasons.find(Cause.isFailReason)
  if (failure !== undefined) {
    return isWireError(failure.error)
      ? { error: failure.error._tag, line: failure.error.message }
      : { error: "Failure", line: "no error of the wire; see the log" }
  }
  const defect = cause.reasons.find(Cause.isDieReason)
  if (defect === undefined) return undefined
  return {
    error: "Defect",
    line: `${defect.defect instanceof Error ? defect.defect.name : typeof defect.defect}; see the log`
  }
}

const isOver = (handled: object): boolean => Exit.isExit(handled) && Exit.isSuccess(handled)

const oldestFirst = (a: Recorded, b: Recorded) => a.arrivedMs - b.arrivedMs

/** What an incarnation knows of its own journal. */
interface Sequenced {
  readonly sequence: () => number | null
}

const noErrors: ReadonlyArray<RecentError> = []

const none: ReadonlySet<Recorded> = new Set()

const withOne = (records: Set<Recorded> | undefined, record: Recorded): Set<Recorded> =>
  records === undefined ? new Set([record]) : records.add(record)

const withoutOne = (records: Set<Recorded> | undefined, record: Recorded): Set<Recorded> | undefined => {
  records?.delete(record)
  return records?.size === 0 ? undefined : records
}

/** The records of one incarnation. A class: an idle entity keeps these words and no closures. */
export class Activity implements Watched {
  readonly #clock: Clock.Clock
  readonly #runner: RunnerAddress
  readonly #journaled: Sequenced
  readonly #sinceMs: number
  /** In order of arrival, which is the order of their turns. Here and below, no set where nothing is in it. */
  #waiting: Set<Recorded> | undefined = undefined
  #inFlight: Set<Recorded> | undefined = undefined
  #errors: ReadonlyArray<RecentError> = noErrors
  #turn: Recorded | undefined = undefined

  constructor(clock: Clock.Clock, runner: RunnerAddress, journaled: Sequenced) {
    this.#clock = clock
    this.#runner = runner
    this.#journaled = journaled
    this.#sinceMs = clock.currentTimeMillisUnsafe()
  }

  get look(): Effect.Effect<OwnedIncarnation> {
    return Effect.sync(() => ({
      owner: `${this.#runner.host}:${this.#runner.port}`,
      incarnation: this.#incarnation()
    }))
  }

  /** The same work, recorded from the arrival of its request, which is now, to its end. */
  record(request: unknown, work: object): object {
    const isForked = Rpc.isWrapper(work) && work.fork
    // A read that memory answers is over as it arrives: nobody could have seen it in flight.
    if (isForked && isOver(work.value)) return work
    const record = recordedOf(request, this.#clock.currentTimeMillisUnsafe())
    if (!isForked) this.#waiting = withOne(this.#waiting, record)
    return Rpc.wrapMap(work as Effect.Effect<unknown, unknown>, (effect) =>
      Effect.suspend(() => {
        if (isForked) this.#inFlight = withOne(this.#inFlight, record)
        else this.#takeTurn(record)
        return effect
      }).pipe(Effect.onExit((exit) => Effect.sync(() => this.#end(record, exit))))
    )
  }

  /** Turns go by arrival: what came before `record` and still waits has left without one (INV-OPR-6). */
  #takeTurn(record: Recorded): void {
    if (this.#waiting?.has(record)) {
      for (const earlier of this.#waiting) {
        this.#waiting.delete(earlier)
        if (earlier === record) break
      }
      if (this.#waiting.size === 0) this.#waiting = undefined
    }
    this.#turn = record
    this.#inFlight = withOne(this.#inFlight, record)
  }

  #end(record: Recorded, exit: Exit.Exit<unknown, unknown>): void {
    this.#inFlight = withoutOne(this.#inFlight, record)
    if (this.#turn === record) this.#turn = undefined
    const error = Exit.isFailure(exit) ? errorOf(exit.cause) : undefined
    if (error === undefined) return
    this.#errors = [
      { atMs: this.#clock.currentTimeMillisUnsafe(), tag: record.tag, ...error },
      ...this.#errors.slice(0, errorsKept - 1)
    ]
  }

  #incarnation(): Incarnation {
    const nowMs = this.#clock.currentTimeMillisUnsafe()
    if (this.#turn === undefined) this.#waiting = undefined
    const waiting = this.#waiting ?? none
    const inFlight = this.#inFlight ?? none
    const shown = (record: Recorded): RequestInFlight => ({
      tag: record.tag,
      requestId: record.requestId,
      principal: record.principal,
      ageMs: Math.max(0, nowMs - record.arrivedMs)
    })
    const [oldest] = waiting
    return {
      sinceMs: this.#sinceMs,
      sequence: this.#journaled.sequence(),
      waiting: waiting.size,
      waitingOldestMs: oldest === undefined ? null : shown(oldest).ageMs,
      inFlightCount: inFlight.size,
      inFlight: [...inFlight].sort(oldestFirst).slice(0, inFlightShown).map(shown),
      errors: this.#errors
    }
  }
}

/**
 * The records of one incarnation, in the register of the process until its scope closes. Without the register (a test of
 * one entity has none) it records all the same.
 */
export const open = Effect.fnUntraced(function* (type: string, id: string, journaled: Sequenced) {
  const register = yield* Effect.serviceOption(EntityActivity)
  const activity = new Activity(yield* Clock.Clock, yield* Entity.CurrentRunnerAddress, journaled)
  if (Option.isSome(register)) {
    const { enter, leave } = register.value
    enter(type, id, activity)
    yield* Effect.addFinalizer(() => Effect.sync(() => leave(type, id, activity)))
  }
  return activity
})
