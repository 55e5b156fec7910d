/** Holds the document that is to be made so, restores it from disk, and tells who wants to know. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { LastGoodState } from "../storage/LastGoodState.ts"
import { accept, type DocumentRejected, type HeldDocument } from "./DesiredDocument.ts"
import type { ReceivedDocument } from "./ReceivedDocument.ts"

export class DesiredStateHolder extends Context.Service<
  DesiredStateHolder,
  {
    readonly current: Effect.Effect<HeldDocument | null>
    /** The held document now, and each one that replaces it. */
    readonly changes: Stream.Stream<HeldDocument>
    /** Takes a document that arrived; on return it is held, and on its way to the disk. */
    readonly offer: (incoming: ReceivedDocument) => Effect.Effect<HeldDocument, DocumentRejected>
  }
>()("@starform/shuttle/starbase/DesiredStateHolder") {}

const make = Effect.gen(function* () {
  const settings = yield* ShuttleConfig
  const storage = yield* LastGoodState

  const restored = yield* storage.load.pipe(
    Effect.catch((error) =>
      Effect.as(
        Effect.logError("The stored document cannot be used; waiting for Starbase", {
          problem: error.message
        }),
        Option.none<HeldDocument>()
      )
    )
  )
  const held = yield* SubscriptionRef.make(Option.getOrNull(restored))
  const changes = SubscriptionRef.changes(held).pipe(
    Stream.filter((document): document is HeldDocument => document !== null)
  )

  const offer = Effect.fn("DesiredStateHolder.offer")(function* ({ state, unreadable }: ReceivedDocument) {
    const before = yield* SubscriptionRef.get(held)
    const next = yield* Effect.fromResult(accept(before, state, settings.clusterId, settings, unreadable))
    yield* SubscriptionRef.set(held, next)
    for (const { appId, code, problem } of unreadable) {
      yield* Effect.logError("An app's entry cannot be made so; the others are", { appId, code, problem })
    }
    if (next.pruneHold !== null) {
      yield* Effect.logWarning("Pruning is held back", {
        reason: next.pruneHold,
        revision: next.revision
      })
    }
    return next
  })

  /** Behind the applying, never before it; only the newest one matters. */
  yield* changes.pipe(
    Stream.buffer({ capacity: 1, strategy: "sliding" }),
    Stream.runForEach((document) =>
      Effect.catch(storage.save(document), (error) =>
        Effect.logError("The document is held in memory only", { problem: error.message })
      )
    ),
    Effect.forkScoped
  )

  return DesiredStateHolder.of({ current: SubscriptionRef.get(held), changes, offer })
})

export const layer: Layer.Layer<DesiredStateHolder, never, ShuttleConfig | LastGoodState> =
  Layer.effect(DesiredStateHolder)(make)
