/**
 * What the three entity types have in common at work. Their handlers are made once for the process, and take the incarnation
 * that they work on as their first argument: thousands of entities are idle in one process, and each keeps its state and a
 * few words beside it, not closures of its own.
 */
import type { Principal } from "@starform/domain/model/Principal"
import * as Entity from "effect/cluster/Entity"
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import * as Rpc from "effect/rpc/Rpc"
import type * as Schema from "effect/Schema"
import type { EntityModel } from "../journal/EntityModel.ts"
import * as JournaledEntity from "../journal/JournaledEntity.ts"
import { measured } from "../metrics/StarbaseMetrics.ts"
import * as EntityActivity from "./EntityActivity.ts"
import { rejectedOnlyOnNewest } from "./NewestState.ts"

/** One incarnation of one entity, in one process. */
export interface Incarnation<State, Event> {
  readonly id: string
  readonly journaled: JournaledEntity.JournaledEntity<State, Event>
  readonly activity: EntityActivity.Activity
}

export interface Command {
  readonly requestId: string
  readonly principal: Principal
}

interface Message<Payload> {
  readonly payload: Payload
  readonly tag: string
}

/** One handler for each message of a protocol. */
export type Handlers<Rpcs extends Rpc.Any, Self> = {
  readonly [Current in Rpcs as Current["_tag"]]: (
    self: Self,
    request: Entity.Request<Current>
  ) => Rpc.WrapperOr<Rpc.ResultFrom<Current, never>>
}

/** The same, for one incarnation. */
export type Bound<Shared> = {
  readonly [Tag in keyof Shared]: Shared[Tag] extends (self: never, request: infer Request) => infer Answer
    ? (request: Request) => Answer
    : never
}

/** Opens an incarnation without reading anything yet. */
export const open = <State, Event, OutboxEffect>(model: EntityModel<State, Event, OutboxEffect>) =>
  Effect.gen(function* () {
    const { entityId } = yield* Entity.CurrentAddress
    const journaled = yield* JournaledEntity.open(model, entityId)
    const activity = yield* EntityActivity.open(model.type, entityId, journaled)
    return { id: entityId, journaled, activity } satisfies Incarnation<State, Event>
  })

/**
 * Handlers of one entity type, each recorded from the arrival of its request to the end of its work.
 *
 * @returns the handlers of an incarnation
 */
export const handlersOf =
  <Type extends string, Rpcs extends Rpc.Any>(_entity: Entity.Entity<Type, Rpcs>) =>
  <Self extends { readonly activity: EntityActivity.Activity }>() =>
  <const Shared extends Handlers<Rpcs, Self>>(shared: Shared): ((self: Self) => Bound<Shared>) => {
    type Handler = (self: Self, request: object) => object
    const recorded = Object.entries<Handler>(shared as unknown as Record<string, Handler>).map(
      ([tag, handler]): readonly [string, Handler] => [
        tag,
        // An operator's look is no work of the entity.
        tag === "InspectActivity"
          ? handler
          : (self, request) => self.activity.record(request, handler(self, request))
      ]
    )
    return (self) => {
      const bound: Record<string, unknown> = {}
      for (const [tag, handler] of recorded) bound[tag] = handler.bind(undefined, self)
      return bound as Bound<Shared>
    }
  }

/** Runs one decision under the request id of its message. A rejection is answered on the newest state only. */
export const decide =
  <State, Event, Payload, Reply, E>(
    type: string,
    reply: Schema.Codec<Reply, unknown>,
    decision: (
      state: State,
      payload: Payload & Command,
      nowMs: number
    ) => Result.Result<JournaledEntity.Decision<State, Event, Reply>, E>
  ) =>
  (
    { journaled }: Incarnation<State, Event>,
    { payload, tag }: Message<Payload & Command>
  ): Effect.Effect<Reply, E | JournaledEntity.ExecuteError> =>
    journaled
      .execute({
        requestId: payload.requestId,
        principal: payload.principal,
        payload,
        reply,
        decide: (state, nowMs) => decision(state, payload, nowMs)
      })
      .pipe(rejectedOnlyOnNewest(journaled), measured(type, tag))

/** The two handlers that are every entity's. */
export const operators = {
  // Tells what waits and what works, so it must not wait itself.
  InspectActivity: ({ activity }: { readonly activity: EntityActivity.Activity }) => Rpc.fork(activity.look),

  Passivate: <State, Event>({ journaled }: Incarnation<State, Event>) =>
    Effect.map(journaled.reload, () => journaled.sequence() ?? 0)
}
