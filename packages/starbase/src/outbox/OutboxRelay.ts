/** Performs outbox rows. A cluster singleton; README beside this file has the invariants. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Singleton from "effect/cluster/Singleton"
import { Outbox, type OutboxRow } from "../journal/Outbox.ts"
import { OutboxEffect } from "./OutboxEffect.ts"

/** An effect that may succeed later. */
export class EffectPostponed extends Schema.TaggedError<EffectPostponed>()("EffectPostponed", {
  problem: Schema.String
}) {}

/** Who performs effects. Idempotent; a rejection is success (INV-OUT-3). */
export class OutboxPerformer extends Context.Service<
  OutboxPerformer,
  {
    /** @param requestId the same for every attempt at one row */
    readonly perform: (effect: OutboxEffect, requestId: string) => Effect.Effect<void, EffectPostponed>
  }
>()("@starform/starbase/outbox/OutboxPerformer") {}

/** The relay looks again after this long even when nothing wakes it. */
export const pollInterval = Duration.seconds(1)

/** Rows performed side by side, at most one per entity. */
export const rowsAtOnce = 64

/** Pause after the n-th failed attempt: 100 ms doubling to one minute. */
export const pauseMs = (attempts: number): number => Math.min(60_000, 100 * 2 ** Math.min(attempts, 12))

const requestIdOf = (row: OutboxRow): string =>
  `outbox:${row.key.type}:${row.key.id}:${row.sequence}:${row.position}`

const decodeEffect = Schema.decodeUnknownEffect(OutboxEffect)

/** Performs everything that is due, until nothing is. Answers how many rows were done. */
export const drain = Effect.gen(function* () {
  const outbox = yield* Outbox
  const performer = yield* OutboxPerformer

  const performRow = Effect.fnUntraced(
    function* (row: OutboxRow) {
      const effect = yield* decodeEffect(row.effect).pipe(
        Effect.mapError((error) => new EffectPostponed({ problem: `unreadable effect: ${error.message}` }))
      )
      yield* performer.perform(effect, requestIdOf(row))
      yield* outbox.done([row])
      return 1
    },
    (performed, row) =>
      Effect.catchTag(performed, "EffectPostponed", ({ problem }) =>
        Effect.gen(function* () {
          const nowMs = yield* Clock.currentTimeMillis
          yield* Effect.logWarning(`outbox ${row.key.type} ${row.key.id} #${row.sequence}: ${problem}`)
          yield* outbox.postpone(row, nowMs + pauseMs(row.attempts), problem)
          return 0
        })
      )
  )

  let total = 0
  while (true) {
    const nowMs = yield* Clock.currentTimeMillis
    const rows = yield* outbox.due(nowMs, rowsAtOnce)
    if (rows.length === 0) return total
    const done = yield* Effect.forEach(rows, performRow, { concurrency: rowsAtOnce })
    total += done.reduce((sum, count) => sum + count, 0)
  }
})

/** Runs for ever. A store that is away, or a lost notification channel, is tried again at every poll. */
export const run = Effect.gen(function* () {
  const outbox = yield* Outbox
  const awaitWork = yield* outbox.awaitWork
  return yield* drain.pipe(Effect.andThen(Effect.timeoutOption(awaitWork, pollInterval)), Effect.forever)
}).pipe(
  Effect.scoped,
  Effect.tapError((error) => Effect.logWarning("outbox relay", error)),
  Effect.retry({ schedule: Schedule.spaced(pollInterval) })
)

export const layerNoDeps = Singleton.make("OutboxRelay", run)
