import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import type { ObservedApp } from "@starform/domain/observed/ObservedApp"
import { Journal } from "@starform/starbase/journal/Journal"
import * as JournalMemory from "@starform/starbase/journal/JournalMemory"
import { Outbox } from "@starform/starbase/journal/Outbox"
import type { OutboxEffect } from "@starform/starbase/outbox/OutboxEffect"
import {
  attemptMax,
  effectsAtOnce,
  EffectPostponed,
  OutboxPerformer,
  pollInterval,
  run
} from "@starform/starbase/outbox/OutboxRelay"
import { effectPauseMs } from "@starform/starbase/Schedules"
import * as Specimens from "../entities/Specimens.ts"

const settle = (n: number): OutboxEffect => ({ _tag: "SettleDeploy", deployId: Specimens.deployId(n) })

const tell = (n: number, phase: ObservedApp["phase"]): OutboxEffect => ({
  _tag: "TellObserved",
  appId: Specimens.appId(n),
  observed: Specimens.observed(Specimens.desiredEntry(n, 1), phase)
})

const numberOf = (effect: OutboxEffect) =>
  effect._tag === "SettleDeploy" ? Number.parseInt(effect.deployId.slice(-12), 16) : 0

/** Appends one event of an entity that causes these effects. */
const cause = (id: string, sequence: number, ...effects: ReadonlyArray<unknown>) =>
  Effect.flatMap(Journal, (journal) =>
    journal.append(
      { type: "Thing", id },
      {
        after: sequence - 1,
        events: [{}],
        actor: "test",
        requestId: `${id}-${sequence}`,
        atMs: 0,
        reply: null,
        effects,
        reserve: [],
        release: [],
        rows: []
      }
    )
  )

type Perform = OutboxPerformer["Service"]["perform"]

/** The relay at work over a journal of its own, beside the test. */
const relaying = <A, E>(perform: Perform, test: Effect.Effect<A, E, Journal | Outbox>) =>
  Effect.gen(function* () {
    const relay = yield* Effect.forkChild(run, { startImmediately: true })
    const result = yield* test
    yield* Fiber.interrupt(relay)
    return result
  }).pipe(Effect.provide(Layer.merge(JournalMemory.layer, Layer.succeed(OutboxPerformer, { perform }))))

/** Lets the relay work until a condition holds; the clock of the test does not move meanwhile. */
const eventually = (holds: () => boolean) =>
  Effect.yieldNow.pipe(
    Effect.andThen(Effect.sync(holds)),
    Effect.repeat({ until: (isSo) => isSo, schedule: Schedule.recurs(2_000) }),
    Effect.tap(() => Effect.sync(() => assert.isTrue(holds())))
  )

const left = Effect.flatMap(Outbox, (outbox) => outbox.due(Number.MAX_SAFE_INTEGER, 100))

describe("run", () => {
  it.effect("INV-OUT-2 performs the effects of one entity in order, one at a time", () => {
    const log: Array<string> = []
    const perform: Perform = (effect) =>
      Effect.gen(function* () {
        log.push(`begin ${numberOf(effect)}`)
        yield* Effect.yieldNow
        log.push(`end ${numberOf(effect)}`)
      })
    return relaying(
      perform,
      Effect.gen(function* () {
        yield* cause("a", 1, settle(1), settle(2))
        yield* cause("a", 2, settle(3))
        yield* eventually(() => log.length === 6)
        assert.deepStrictEqual(log, ["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"])
      })
    )
  })

  it.effect(
    "INV-OUT-2 tells each app of a cluster in order, and none waits for one that cannot be told",
    () => {
      const told: Array<string> = []
      const perform: Perform = (effect) =>
        Effect.suspend(() => {
          if (effect._tag !== "TellObserved") return Effect.void
          const { appId, observed } = effect
          if (appId === Specimens.appId(1)) return new EffectPostponed({ problem: "internal fault" })
          told.push(`${appId === Specimens.appId(2) ? "b" : "c"} ${observed.phase}`)
          return Effect.void
        })
      return relaying(
        perform,
        Effect.gen(function* () {
          yield* cause("cluster", 1, tell(1, "progressing"), tell(2, "progressing"))
          yield* cause("cluster", 2, tell(2, "available"), tell(1, "available"), tell(3, "failed"))
          yield* eventually(() => told.length === 3)
          assert.deepStrictEqual(
            told.filter((each) => each.startsWith("b")),
            ["b progressing", "b available"]
          )
          assert.deepStrictEqual(
            (yield* left).map(({ line, sequence }) => ({ line, sequence })),
            [{ line: Specimens.appId(1), sequence: 1 }]
          )
        })
      )
    }
  )

  it.effect("INV-OUT-6 begins an effect of another project before a project's many that fail", () => {
    const failing = 4 * effectsAtOnce
    const asked: Array<number> = []
    const perform: Perform = (effect) =>
      Effect.suspend(() => {
        asked.push(numberOf(effect))
        return numberOf(effect) === 0 ? Effect.void : new EffectPostponed({ problem: "always" })
      })
    return Effect.gen(function* () {
      for (let n = 1; n <= failing; n++) yield* cause(`a/${n}`, 1, settle(n))
      yield* cause("b", 1, settle(0))
      const relay = yield* Effect.forkChild(run, { startImmediately: true })
      yield* eventually(() => asked.length > failing)
      assert.isBelow(asked.indexOf(0), effectsAtOnce)
      // Now each of the many has failed once and is due again: what is new comes before all of them.
      yield* TestClock.adjust(effectPauseMs(0))
      asked.length = 0
      yield* cause("b", 2, settle(0))
      yield* eventually(() => asked.includes(0))
      assert.isBelow(asked.indexOf(0), effectsAtOnce)
      yield* Fiber.interrupt(relay)
    }).pipe(Effect.provide(Layer.merge(JournalMemory.layer, Layer.succeed(OutboxPerformer, { perform }))))
  })

  it.effect("INV-OUT-6 keeps room beside a project whose effects do not end", () => {
    const performed: Array<number> = []
    const perform: Perform = (effect) =>
      numberOf(effect) === 0 ? Effect.never : Effect.sync(() => void performed.push(numberOf(effect)))
    return relaying(
      perform,
      Effect.gen(function* () {
        for (let n = 1; n <= 2 * effectsAtOnce; n++) yield* cause(`a/${n}`, 1, settle(0))
        yield* cause("b", 1, settle(1))
        yield* cause("a-neighbour", 1, settle(2))
        yield* eventually(() => performed.length === 2)
        assert.deepStrictEqual(performed.sort(), [1, 2])
      })
    )
  })

  it.effect("INV-OUT-2 lets no entity wait for another whose effect takes its time", () => {
    const performed: Array<number> = []
    const perform: Perform = (effect) =>
      numberOf(effect) === 1 ? Effect.never : Effect.sync(() => void performed.push(numberOf(effect)))
    return relaying(
      perform,
      Effect.gen(function* () {
        yield* cause("slow", 1, settle(1), settle(9))
        yield* cause("a", 1, settle(2))
        yield* eventually(() => performed.length === 1)
        yield* cause("b", 1, settle(3))
        yield* cause("a", 2, settle(4))
        yield* eventually(() => performed.length === 3)
        assert.deepStrictEqual(performed.sort(), [2, 3, 4])
      })
    )
  })

  it.effect("INV-OUT-5 gives up an attempt that does not end, and makes another later", () => {
    const asked: Array<string> = []
    let isAway = true
    const perform: Perform = (_, requestId) => {
      asked.push(requestId)
      return isAway ? Effect.never : Effect.void
    }
    return relaying(
      perform,
      Effect.gen(function* () {
        yield* cause("a", 1, settle(1))
        yield* eventually(() => asked.length === 1)
        yield* TestClock.adjust(Duration.subtract(attemptMax, Duration.seconds(1)))
        assert.strictEqual((yield* left)[0]?.attempts, 0)
        isAway = false
        yield* TestClock.adjust("1 second")
        yield* TestClock.adjust(effectPauseMs(0))
        yield* TestClock.adjust(pollInterval)
        yield* eventually(() => asked.length === 2)
        assert.strictEqual(asked[0], asked[1])
        assert.deepStrictEqual(yield* left, [])
      })
    )
  })

  it.effect("INV-OUT-1 begins an effect again, under the same request id, until it was acknowledged", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const reached = yield* Deferred.make<void>()
      const hangs: Perform = (_, requestId) =>
        Effect.andThen(
          Effect.sync(() => asked.push(requestId)),
          Effect.andThen(Deferred.succeed(reached, undefined), Effect.never)
        )
      const works: Perform = (_, requestId) => Effect.sync(() => void asked.push(requestId))
      const relay = (perform: Perform) =>
        Effect.forkChild(Effect.provideService(run, OutboxPerformer, { perform }))
      yield* cause("a", 1, settle(1))
      const stopped = yield* relay(hangs)
      yield* Deferred.await(reached)
      yield* Fiber.interrupt(stopped)
      assert.strictEqual((yield* left).length, 1)
      const next = yield* relay(works)
      yield* eventually(() => asked.length === 2)
      yield* Effect.repeat(left, { until: (rows) => rows.length === 0 })
      yield* Fiber.interrupt(next)
      assert.strictEqual(asked[0], asked[1])
    }).pipe(Effect.provide(JournalMemory.layer))
  )

  it.effect("INV-OUT-4 repeats what failed after growing pauses, at most a minute apart", () => {
    const times: Array<number> = []
    let now = 0
    const perform: Perform = () =>
      Effect.suspend(() => {
        times.push(now)
        return Effect.fail(new EffectPostponed({ problem: "the other side is away" }))
      })
    return relaying(
      perform,
      Effect.gen(function* () {
        yield* cause("a", 1, settle(1))
        yield* eventually(() => times.length === 1)
        for (; now < 300_000;) {
          now += 500
          yield* TestClock.adjust(500)
        }
        const pauses = times.slice(1).map((time, index) => time - times[index]!)
        pauses.forEach((pause, attempt) => {
          assert.isAtLeast(pause, Math.min(effectPauseMs(attempt), 60_000))
          assert.isAtMost(pause, 61_000)
        })
        assert.isAbove(pauses.length, 9)
        assert.strictEqual(effectPauseMs(100), 60_000)
        assert.strictEqual((yield* left)[0]?.attempts, times.length)
      })
    )
  })

  it.effect("INV-OUT-4 keeps what ended in a defect for later, and goes on", () => {
    const performed: Array<number> = []
    return relaying(
      (effect) =>
        Effect.sync(() => {
          if (numberOf(effect) === 1) throw new Error("a promise of ours is broken")
          performed.push(numberOf(effect))
        }),
      Effect.gen(function* () {
        yield* cause("a", 1, settle(1))
        yield* cause("b", 1, settle(2))
        yield* eventually(() => performed.length === 1)
        assert.deepStrictEqual(
          (yield* left).map(({ key, attempts }) => ({ id: key.id, attempts })),
          [{ id: "a", attempts: 1 }]
        )
      })
    )
  })

  it.effect("keeps an effect that it cannot read, and lets other entities go on", () => {
    const performed: Array<number> = []
    return relaying(
      (effect) => Effect.sync(() => void performed.push(numberOf(effect))),
      Effect.gen(function* () {
        yield* cause("a", 1, { _tag: "OfAnotherVersion" })
        yield* cause("b", 1, settle(2))
        yield* eventually(() => performed.length === 1)
        assert.deepStrictEqual(
          (yield* left).map(({ key }) => key.id),
          ["a"]
        )
      })
    )
  })
})
