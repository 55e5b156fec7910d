/**
 * The journal in memory, with a gate at every step of its use: before and after each operation a test can hold the
 * caller back, or take the store away. What passes the gate is the real thing.
 */
import { Context, Effect, Layer } from "effect"
import * as Journal from "@starform/starbase/journal/Journal"
import * as JournalMemory from "@starform/starbase/journal/JournalMemory"
import type { Outbox } from "@starform/starbase/journal/Outbox"
import type { ReadModels } from "@starform/starbase/journal/ReadModels"

/** Called at each step; one that fails is a store that did not answer. */
export type Gate = (step: string, key: Journal.EntityKey) => Effect.Effect<void, Journal.JournalUnavailable>

export const lost: Gate = (operation) =>
  Effect.fail(new Journal.JournalUnavailable({ operation, cause: "the connection is gone" }))

const open: Gate = () => Effect.void

export class JournalGate extends Context.Service<
  JournalGate,
  {
    /** Runs an effect while the gate decides; everybody's operations pass through it. */
    readonly during: (gate: Gate) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
>()("@starform/starbase/test/entities/JournalGate") {}

const gated = Layer.effectContext(
  Effect.gen(function* () {
    const journal = yield* Journal.Journal
    let gate = open
    const through = <A, E>(operation: string, key: Journal.EntityKey, effect: Effect.Effect<A, E>) =>
      Effect.suspend(() => gate(`before ${operation}`, key)).pipe(
        Effect.andThen(effect),
        Effect.tap(() => gate(`after ${operation}`, key))
      )
    const passing = Journal.Journal.of({
      load: (key) => through("load", key, journal.load(key)),
      append: (key, append) => Effect.uninterruptible(through("append", key, journal.append(key, append))),
      recall: (key, requestId) => through("recall", key, journal.recall(key, requestId)),
      saveSnapshot: (key, snapshot) => through("saveSnapshot", key, journal.saveSnapshot(key, snapshot)),
      read: (key, after, limit) => through("read", key, journal.read(key, after, limit))
    })
    const control = JournalGate.of({
      during: (next) => (effect) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            gate = next
          }),
          () => effect,
          () =>
            Effect.sync(() => {
              gate = open
            })
        )
    })
    return Context.make(Journal.Journal, passing).pipe(Context.add(JournalGate, control))
  })
)

export const layer: Layer.Layer<Journal.Journal | Outbox | ReadModels | JournalGate> = gated.pipe(
  Layer.provideMerge(JournalMemory.layer)
)
