/**
 * The message store as workflows see it: what they ask of it is asked again until it answers. effect's workflow engine
 * makes a defect of a store that does not answer, keeps it as the result of the run, and the deploy of that run is lost:
 * a workflow's key is spent for ever. A reply that it gave up to keep leaves its request under way for ever.
 *
 * Reading for delivery claims what it reads, for ten minutes. A read whose answer nobody heard has claimed messages that
 * nobody delivers, and so has an owner before this one, whose last statement may arrive when it is dead: a read gives the
 * claims of its shards back first when one may be left, and every half minute. What is being delivered is not delivered twice.
 */
import * as Arr from "effect/Array"
import type { PersistenceError } from "effect/cluster/ClusterError"
import * as Message from "effect/cluster/Message"
import { MessageStorage } from "effect/cluster/MessageStorage"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import * as Schedules from "./Schedules.ts"

const untilItAnswers = <A, E extends { readonly _tag: string }, R>(
  effect: Effect.Effect<A, E | PersistenceError, R>
) =>
  effect.pipe(
    Effect.tapError((error) =>
      error._tag === "PersistenceError"
        ? Effect.logWarning("the message store does not answer", error)
        : Effect.void
    ),
    Effect.retry(Schedules.messagesAway)
  )

/** Longest that a message waits which somebody claimed who is no owner any more, and whom nobody knows of. */
export const claimsLast = Duration.seconds(30)

/** Reads that know whether claims were left behind: by a read that nobody heard, or by an owner before this one. */
const readsOf = (storage: MessageStorage["Service"], beganMs: number) => {
  let givenBackMs = beganMs
  /** Counted, for a read that is under way knows nothing of what is left meanwhile. */
  let left = 0
  let givenBack = 0
  /** Gives claims back; whoever calls it lets a failure be. */
  const givingBack = <A, E>(reset: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.onExit(reset, (exit) =>
      Effect.sync(() => {
        if (exit._tag === "Failure") left++
      })
    )
  const resets: Pick<MessageStorage["Service"], "resetShards" | "resetRequests" | "resetAddresses"> = {
    resetShards: (shardIds) => givingBack(storage.resetShards(shardIds)),
    // A request that gives its own claim back has not ended, and one that is delivered until then is delivered to nobody:
    // the next read does it.
    resetRequests: () => Effect.sync(() => void left++),
    resetAddresses: (addresses) => givingBack(storage.resetAddresses(addresses))
  }
  const unprocessedMessages: MessageStorage["Service"]["unprocessedMessages"] = (shardIds, options) => {
    const shards = [...shardIds]
    return Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      const known = left
      const isDue = known > givenBack || nowMs - givenBackMs >= Duration.toMillis(claimsLast)
      if (isDue) givenBackMs = nowMs
      const reset = isDue ? storage.resetShards(shards) : Effect.void
      return Effect.andThen(
        reset,
        Effect.suspend(() => storage.unprocessedMessages(shards, options))
      ).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (exit._tag === "Success") givenBack = known
            else left++
          })
        )
      )
    })
  }
  return { ...resets, unprocessedMessages }
}

/**
 * The table has room for one reply of a request, so one that was kept unheard cannot be kept again: who waits is sent to
 * read. Not for ever: an entity does not stop before its replies are kept, and a runner whose shards are lost must let go.
 */
const repliesOf = (storage: MessageStorage["Service"]) => {
  const saveReply: MessageStorage["Service"]["saveReply"] = (reply) => {
    const { requestId } = reply.reply
    const again = Effect.flatMap(storage.repliesForUnfiltered([requestId]), (kept) =>
      kept.some(({ _tag }) => _tag === "WithExit")
        ? storage.unregisterReplyHandler(requestId)
        : storage.saveReply(reply)
    )
    return Effect.catchTag(storage.saveReply(reply), "PersistenceError", (error) =>
      reply.reply._tag === "WithExit" ? Effect.retry(again, Schedules.replyAway) : Effect.fail(error)
    )
  }
  /** What is read answers by the storage that it was read from. */
  const answering = (message: Message.Incoming<Rpc.Any>) =>
    message._tag === "IncomingRequest"
      ? new Message.IncomingRequest({ ...message, respond: saveReply })
      : message
  return { saveReply, answering }
}

/** A message that was kept while nobody heard of it has the id that it is repeated with: the repeat joins it. */
export const layer: Layer.Layer<MessageStorage, never, MessageStorage> = Layer.effect(
  MessageStorage,
  Effect.gen(function* () {
    const storage = yield* MessageStorage
    const { saveReply, answering } = repliesOf(storage)
    const { unprocessedMessages, ...resets } = readsOf(storage, yield* Clock.currentTimeMillis)
    return MessageStorage.of({
      ...storage,
      saveRequest: (message) => untilItAnswers(storage.saveRequest(message)),
      saveEnvelope: (message) => untilItAnswers(storage.saveEnvelope(message)),
      saveReply,
      clearReplies: (requestId, options) => untilItAnswers(storage.clearReplies(requestId, options)),
      clearAddress: (address) => untilItAnswers(storage.clearAddress(address)),
      repliesForUnfiltered: (requestIds) => untilItAnswers(storage.repliesForUnfiltered(requestIds)),
      requestIdForPrimaryKey: (options) => untilItAnswers(storage.requestIdForPrimaryKey(options)),
      ...resets,
      unprocessedMessages: (shardIds, options) =>
        Effect.map(unprocessedMessages(shardIds, options), Arr.map(answering)),
      unprocessedMessagesById: (ids) =>
        Effect.map(untilItAnswers(storage.unprocessedMessagesById(ids)), Arr.map(answering))
    })
  })
)
