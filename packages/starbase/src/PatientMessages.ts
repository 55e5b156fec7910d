/**
 * The message store as workflows see it: what they ask of it is asked again until it answers. effect's workflow engine
 * makes a defect of a store that does not answer, keeps it as the result of the run, and the deploy of that run is lost:
 * a workflow's key is spent for ever. Reading for delivery and keeping replies are left alone; whoever does these repeats
 * them, or hands the shard over.
 */
import type { PersistenceError } from "effect/cluster/ClusterError"
import { MessageStorage } from "effect/cluster/MessageStorage"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
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

/** A message that was kept while nobody heard of it has the id that it is repeated with: the repeat joins it. */
export const layer: Layer.Layer<MessageStorage, never, MessageStorage> = Layer.effect(
  MessageStorage,
  Effect.map(MessageStorage, (storage) =>
    MessageStorage.of({
      ...storage,
      saveRequest: (message) => untilItAnswers(storage.saveRequest(message)),
      saveEnvelope: (message) => untilItAnswers(storage.saveEnvelope(message)),
      clearReplies: (requestId, options) => untilItAnswers(storage.clearReplies(requestId, options)),
      clearAddress: (address) => untilItAnswers(storage.clearAddress(address)),
      repliesForUnfiltered: (requestIds) => untilItAnswers(storage.repliesForUnfiltered(requestIds)),
      requestIdForPrimaryKey: (options) => untilItAnswers(storage.requestIdForPrimaryKey(options)),
      unprocessedMessagesById: (ids) => untilItAnswers(storage.unprocessedMessagesById(ids))
    })
  )
)
