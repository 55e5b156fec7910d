/** The message storage that all runners share: effect's memory driver behind the road of each runner. */
import { PersistenceError } from "effect/cluster/ClusterError"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as Snowflake from "effect/cluster/Snowflake"
import * as Effect from "effect/Effect"
import type * as Envelope from "effect/cluster/Envelope"
import type * as Reply from "effect/cluster/Reply"
import * as Layer from "effect/Layer"
import { ask, type Store } from "./Store.ts"
import type { Process } from "./World.ts"

export type Driver = MessageStorage.MemoryDriver["Service"]

export const makeDriver = (store: Store): Driver =>
  Effect.runSyncWith(store.process.context)(
    MessageStorage.MemoryDriver.make.pipe(Effect.provide(Snowflake.layerGenerator))
  )

/** Messages that nobody has answered, for whoever reads a trace. */
export const unanswered = ({ unprocessed }: Driver): ReadonlyArray<string> =>
  [...unprocessed].map(
    (envelope) =>
      `${envelope.address.entityType} ${envelope.address.entityId} on ${envelope.address.shardId.group}:${envelope.address.shardId.id}: ` +
      (envelope._tag === "Request" ? `${envelope.tag} ${JSON.stringify(envelope.payload)}` : envelope._tag)
  )

const broken = (operation: string) => new PersistenceError({ cause: `${operation}: the connection is gone` })

/** As a trace shows it: what is asked of which workflow. */
const nameOf = ({ address, ...envelope }: Envelope.Encoded): string => {
  const at = `${address.entityType.replace("Workflow/", "")} ${address.entityId.slice(0, 6)}`
  if (envelope._tag !== "Request") return `${at} ${envelope._tag}`
  const { name } = (envelope.payload ?? {}) as { readonly name?: string }
  return `${at} ${envelope.tag}${name === undefined ? "" : ` ${name}`}`
}

const resultOf = (reply: Reply.Encoded): string => {
  if (reply._tag !== "WithExit") return reply._tag
  const { exit } = reply
  if (exit._tag === "Failure") return JSON.stringify(exit.cause).slice(0, 200)
  const { _tag, exit: inner } = (exit.value ?? {}) as {
    readonly _tag?: string
    readonly exit?: { readonly _tag: string }
  }
  return inner?._tag === "Failure" ? JSON.stringify(inner).slice(0, 300) : (_tag ?? "done")
}

/** The memory driver keeps as many ends of a request as it is given; the table of replies has a key that allows one. */
const isSecond = (kept: ReadonlyArray<Reply.Encoded>, reply: Reply.Encoded) =>
  reply._tag === "WithExit" && kept.some(({ _tag }) => _tag === "WithExit")

const taken = Effect.fail(new PersistenceError({ cause: "the request has its reply" }))

/** Replies reach waiting fibers of their own process only, as with a database. */
export const layer = (
  { encoded, requests }: Driver,
  store: Store,
  from: Process
): Layer.Layer<MessageStorage.MessageStorage> => {
  const through =
    <Args extends ReadonlyArray<unknown>, A, E>(
      operation: string,
      perform: (...args: Args) => Effect.Effect<A, E>
    ) =>
    (...args: Args): Effect.Effect<A, E | PersistenceError> =>
      ask<A, E | PersistenceError>(store, from, `messages.${operation}`, perform(...args), broken)
  const note = (what: string) => Effect.sync(() => from.world.note(from.name, what))
  return Layer.effect(
    MessageStorage.MessageStorage,
    MessageStorage.makeEncoded({
      saveEnvelope: through("save", (message) =>
        Effect.tap(encoded.saveEnvelope(message), ({ _tag }) =>
          note(`message ${nameOf(message.envelope)}${_tag === "Duplicate" ? ", again" : ""}`)
        )
      ),
      saveReply: through("reply", (reply) => {
        const request = requests.get(reply.requestId)
        const to = request === undefined ? "nobody" : nameOf(request.envelope)
        if (isSecond(request?.replies ?? [], reply))
          return Effect.andThen(note(`second reply to ${to}`), taken)
        return Effect.tap(encoded.saveReply(reply), note(`reply to ${to}: ${resultOf(reply)}`))
      }),
      clearReplies: through("clearReplies", (id, options) => {
        const request = requests.get(String(id))
        const to = request === undefined ? "nobody" : nameOf(request.envelope)
        return Effect.tap(encoded.clearReplies(id, options), note(`reset ${to}`))
      }),
      requestIdForPrimaryKey: through("idOf", encoded.requestIdForPrimaryKey),
      repliesFor: through("replies", encoded.repliesFor),
      repliesForUnfiltered: through("repliesUnfiltered", encoded.repliesForUnfiltered),
      unprocessedMessages: through("read", encoded.unprocessedMessages),
      unprocessedMessagesById: through("readById", encoded.unprocessedMessagesById),
      resetAddresses: through("resetAddresses", encoded.resetAddresses),
      resetRequests: through("resetRequests", encoded.resetRequests),
      clearAddress: through("clearAddress", encoded.clearAddress),
      resetShards: through("resetShards", encoded.resetShards),
      // No activity of Starbase asks for a transaction.
      withTransaction: encoded.withTransaction
    })
  ).pipe(Layer.provide(Snowflake.layerGenerator))
}
