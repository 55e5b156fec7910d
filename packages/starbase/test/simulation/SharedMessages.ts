/** The message storage that all runners share: effect's memory driver behind the road of each runner. */
import { PersistenceError } from "effect/cluster/ClusterError"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as Snowflake from "effect/cluster/Snowflake"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ask, type Store } from "./Store.ts"
import type { Process } from "./World.ts"

export type Driver = MessageStorage.MemoryDriver["Service"]

export const makeDriver = (store: Store): Driver =>
  Effect.runSyncWith(store.process.context)(
    MessageStorage.MemoryDriver.make.pipe(Effect.provide(Snowflake.layerGenerator))
  )

const broken = (operation: string) => new PersistenceError({ cause: `${operation}: the connection is gone` })

/** Replies reach waiting fibers of their own process only, as with a database. */
export const layer = (
  { encoded }: Driver,
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
  return Layer.effect(
    MessageStorage.MessageStorage,
    MessageStorage.makeEncoded({
      saveEnvelope: through("save", encoded.saveEnvelope),
      saveReply: through("reply", encoded.saveReply),
      clearReplies: through("clearReplies", encoded.clearReplies),
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
