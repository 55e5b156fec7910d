/** Performs outbox rows. A cluster singleton; README beside this file has the invariants. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Singleton from "effect/cluster/Singleton"
import { Outbox, type OutboxLine, type OutboxRow, shareOf } from "../journal/Outbox.ts"
import * as Schedules from "../Schedules.ts"
import { asHop } from "./EffectHop.ts"
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

/** Effects that are under way side by side, one of each line. */
export const effectsAtOnce = 256

/** Of these, how many one share may have: whatever a project's effects do not get done leaves room for others (INV-OUT-6). */
export const effectsPerShare = 32

/** One attempt at one effect; longer than any ask of an entity (20 s), so that its own error is heard first. */
export const attemptMax = Duration.seconds(30)

const requestIdOf = (row: OutboxRow): string =>
  `outbox:${row.key.type}:${row.key.id}:${row.sequence}:${row.position}`

const decodeEffect = Schema.decodeUnknownEffect(OutboxEffect)

/** One attempt at one row. Whatever fails leaves the row, and the line behind it, for later. */
const attempt = Effect.gen(function* () {
  const outbox = yield* Outbox
  const performer = yield* OutboxPerformer
  return (row: OutboxRow) =>
    decodeEffect(row.effect).pipe(
      Effect.mapError((error) => new EffectPostponed({ problem: `unreadable effect: ${error.message}` })),
      Effect.flatMap((effect) =>
        performer.perform(effect, requestIdOf(row)).pipe(asHop(effect, row.attempts))
      ),
      Effect.timeoutOrElse({
        duration: attemptMax,
        orElse: () =>
          Effect.fail(
            new EffectPostponed({ problem: `no end within ${Duration.toSeconds(attemptMax)} seconds` })
          )
      }),
      Effect.catchDefect((defect) =>
        Effect.fail(new EffectPostponed({ problem: `defect: ${String(defect)}` }))
      ),
      Effect.andThen(outbox.done([row])),
      Effect.catchTag("EffectPostponed", ({ problem }) =>
        Effect.gen(function* () {
          const nowMs = yield* Clock.currentTimeMillis
          yield* Effect.logWarning(`outbox ${row.key.type} ${row.key.id} #${row.sequence}: ${problem}`)
          yield* outbox.postpone(row, nowMs + Schedules.effectPauseMs(row.attempts), problem)
        })
      ),
      // The store did not hear the end of it: the row is performed again, but not at once.
      Effect.catchTag("JournalUnavailable", (error) =>
        Effect.andThen(Effect.logWarning("outbox relay", error), Effect.sleep(pollInterval))
      )
    )
})

/** Starts whatever is due and waits for more, or for a line to be free again: no line waits for another. */
const relay = Effect.gen(function* () {
  const outbox = yield* Outbox
  const perform = yield* attempt
  const awaitWork = yield* outbox.awaitWork
  const underWay = yield* FiberSet.make()
  const ended = yield* Queue.sliding<void>(1)
  const busy = new Set<string>()
  const shares = new Map<string, number>()
  const nameOf = ({ key, line }: OutboxLine) => `${key.type} ${key.id} ${line}`
  const taken = (row: OutboxLine) => shares.get(shareOf(row)) ?? 0

  const start = (row: OutboxRow) => {
    busy.add(nameOf(row))
    shares.set(shareOf(row), taken(row) + 1)
    const leave = Effect.sync(() => {
      busy.delete(nameOf(row))
      if (taken(row) === 1) shares.delete(shareOf(row))
      else shares.set(shareOf(row), taken(row) - 1)
    })
    return perform(row).pipe(
      Effect.ensuring(leave),
      Effect.andThen(Queue.offer(ended, undefined)),
      FiberSet.run(underWay)
    )
  }

  const hasRoom = (row: OutboxRow) =>
    busy.size < effectsAtOnce && taken(row) < effectsPerShare && !busy.has(nameOf(row))

  const startDue = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const due = yield* outbox.due(nowMs, effectsAtOnce + busy.size)
    yield* Effect.forEach(due, (row) => (hasRoom(row) ? start(row) : Effect.void), { discard: true })
  })

  const somethingNew = Effect.raceFirst(awaitWork, Queue.take(ended))
  return yield* startDue.pipe(
    Effect.andThen(Effect.timeoutOption(somethingNew, pollInterval)),
    Effect.forever
  )
})

/** Runs for ever. A store that is away, or a lost notification channel, is tried again at every poll. */
export const run = relay.pipe(
  Effect.scoped,
  Effect.tapError((error) => Effect.logWarning("outbox relay", error)),
  Effect.retry(Schedules.storeAway)
)

export const layerNoDeps = Singleton.make("OutboxRelay", run)
