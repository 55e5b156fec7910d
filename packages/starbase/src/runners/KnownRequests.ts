/**
 * Sharding that answers whoever asks what only newer code knows: an entity type that this runner does not have, or a
 * request that its entity does not have. effect has the asker wait for the type to be registered, for as long as a stored
 * message may wait for it (a day), and breaks over the request. Stored messages still wait.
 */
import type * as Message from "effect/cluster/Message"
import * as Reply from "effect/cluster/Reply"
import { Sharding } from "effect/cluster/Sharding"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"

/** A runner has its port, and shards, a moment before its entities are registered: a question may be that early. */
const registrationMax = Duration.seconds(2)

/** Told as the defect of the ask, because a runner of any version can read that; `isUnknownThere` knows it again. */
class UnknownThere extends Schema.TaggedError<UnknownThere>()("UnknownThere", { request: Schema.String }) {
  override get message() {
    return `its runner does not know ${this.request}`
  }
}

/** Also of a defect that came from another runner: of an error, its name and message cross the wire. */
export const isUnknownThere = (defect: unknown): defect is Error =>
  defect instanceof Error && defect.name === "UnknownThere"

/** Over another `Sharding`, whose place it takes; entities are registered here. */
export const layerNoDeps: Layer.Layer<Sharding, never, Sharding> = Layer.effect(
  Sharding,
  Effect.map(Sharding, (sharding) => {
    /** By entity type, the requests that it has. */
    const known = new Map<string, ReadonlyMap<string, unknown>>()
    let oneMore = Latch.makeUnsafe(false)

    const requestsOf = (type: string): Effect.Effect<ReadonlyMap<string, unknown>> =>
      Effect.suspend(() => {
        const requests = known.get(type)
        return requests === undefined
          ? Effect.andThen(oneMore.await, requestsOf(type))
          : Effect.succeed(requests)
      })

    const refuse = Effect.fnUntraced(function* (message: Message.IncomingRequest<Rpc.Any>) {
      const { requestId, address, tag } = message.envelope
      const defect = new UnknownThere({ request: `${address.entityType}.${tag}` })
      const id = yield* sharding.getSnowflake
      // An asker that is gone hears nothing, and waits for nothing.
      yield* Effect.ignore(message.respond(Reply.ReplyWithContext.fromDefect({ id, requestId, defect })))
    })

    return Sharding.of({
      ...sharding,
      registerEntity: (entity, handlers, options) =>
        Effect.tap(sharding.registerEntity(entity, handlers, options), () =>
          Effect.sync(() => {
            known.set(entity.type, entity.protocol.requests)
            const opened = oneMore
            oneMore = Latch.makeUnsafe(false)
            opened.openUnsafe()
          })
        ),
      send: (message) => {
        const { envelope } = message
        const type = envelope.address.entityType
        // The end of a request: of one that was refused, when the type is unknown.
        if (message._tag === "IncomingEnvelope" || envelope._tag !== "Request") {
          return known.has(type) ? sharding.send(message) : Effect.void
        }
        if (known.get(type)?.has(envelope.tag) === true) return sharding.send(message)
        return requestsOf(type).pipe(
          Effect.timeoutOption(registrationMax),
          Effect.flatMap((requests) =>
            Option.exists(requests, (has) => has.has(envelope.tag)) ? sharding.send(message) : refuse(message)
          )
        )
      }
    })
  })
)
