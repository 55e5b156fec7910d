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
    readonly enter: (type: string, id: string, watched: Watched) => Effect.Effect<void>
    /** Leaves alone an incarnation that came after. */
    readonly leave: (type: string, id: string, watched: Watched) => Effect.Effect<void>
    readonly find: (type: string, id: string) => Effect.Effect<Option.Option<Watched>>
  }
>()("@starform/starbase/entities/EntityActivity") {}

export const layer: Layer.Layer<EntityActivity> = Layer.sync(EntityActivity, () => {
  const residents = new Map<string, Watched>()
  const nameOf = (type: string, id: string) => `${type} ${id}`
  return EntityActivity.of({
    enter: (type, id, watched) => Effect.sync(() => residents.set(nameOf(type, id), watched)),
    leave: (type, id, watched) =>
      Effect.sync(() => {
        if (residents.get(nameOf(type, id)) === watched) residents.delete(nameOf(type, id))
      }),
    find: (type, id) => Effect.sync(() => Option.fromNullishOr(residents.get(nameOf(type, id))))
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

/**
 * The records of one incarnation, until its scope closes. Not part of its behaviour: without the register of the
 * process (a test of one entity has none) it records all the same.
 *
 * @param sequence of the newest event in memory
 */
export const open = Effect.fnUntraced(function* (type: string, id: string, sequence: () => number | null) {
  const register = yield* Effect.serviceOption(EntityActivity)
  const clock = yield* Clock.Clock
  const { host, port } = yield* Entity.CurrentRunnerAddress
  const sinceMs = clock.currentTimeMillisUnsafe()
  /** In order of arrival, which is the order of their turns. */
  const waiting = new Set<Recorded>()
  const inFlight = new Set<Recorded>()
  let errors: ReadonlyArray<RecentError> = []
  let turn: Recorded | undefined

  /** Turns go by arrival: what came before `record` and still waits has left without one (INV-OPR-6). */
  const takeTurn = (record: Recorded) => {
    for (const earlier of waiting.has(record) ? waiting : []) {
      waiting.delete(earlier)
      if (earlier === record) break
    }
    turn = record
    inFlight.add(record)
  }

  const end = (record: Recorded, exit: Exit.Exit<unknown, unknown>) => {
    inFlight.delete(record)
    if (turn === record) turn = undefined
    const error = Exit.isFailure(exit) ? errorOf(exit.cause) : undefined
    if (error === undefined) return
    errors = [
      { atMs: clock.currentTimeMillisUnsafe(), tag: record.tag, ...error },
      ...errors.slice(0, errorsKept - 1)
    ]
  }

  const recorded = (handler: (request: unknown) => object) => (request: unknown) => {
    const result = handler(request)
    const isForked = Rpc.isWrapper(result) && result.fork
    // A read that memory answers is over as it arrives: nobody could have seen it in flight.
    if (isForked && isOver(result.value)) return result
    const record = recordedOf(request, clock.currentTimeMillisUnsafe())
    if (!isForked) waiting.add(record)
    return Rpc.wrapMap(result as Effect.Effect<unknown, unknown>, (effect) =>
      Effect.suspend(() => {
        if (isForked) inFlight.add(record)
        else takeTurn(record)
        return effect
      }).pipe(Effect.onExit((exit) => Effect.sync(() => end(record, exit))))
    )
  }

  const incarnation = (): Incarnation => {
    const nowMs = clock.currentTimeMillisUnsafe()
    if (turn === undefined) waiting.clear()
    const shown = (record: Recorded): RequestInFlight => ({
      tag: record.tag,
      requestId: record.requestId,
      principal: record.principal,
      ageMs: Math.max(0, nowMs - record.arrivedMs)
    })
    const [oldest] = waiting
    return {
      sinceMs,
      sequence: sequence(),
      waiting: waiting.size,
      waitingOldestMs: oldest === undefined ? null : shown(oldest).ageMs,
      inFlightCount: inFlight.size,
      inFlight: [...inFlight].sort(oldestFirst).slice(0, inFlightShown).map(shown),
      errors
    }
  }

  const look = Effect.sync(() => ({ owner: `${host}:${port}`, incarnation: incarnation() }))
  const watched: Watched = { look }
  if (Option.isSome(register)) {
    const { enter, leave } = register.value
    yield* Effect.acquireRelease(enter(type, id, watched), () => leave(type, id, watched))
  }

  return {
    look,
    /** The same handlers, each recorded from the arrival of its request to the end of its work. */
    watch: <Handlers extends object>(handlers: Handlers): Handlers =>
      Object.fromEntries(
        Object.entries(handlers).map(([tag, handler]) => [
          tag,
          // An operator's look is no work of the entity.
          tag === "InspectActivity" ? handler : recorded(handler as (request: unknown) => object)
        ])
      ) as Handlers
  }
})
