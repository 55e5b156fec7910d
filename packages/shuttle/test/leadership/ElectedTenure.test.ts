import { assert, describe, it } from "@effect/vitest"
import * as ElectedTenure from "@starform/shuttle/leadership/ElectedTenure"
import { LeaseStore } from "@starform/shuttle/leadership/LeaseStore"
import type { Tenure } from "@starform/shuttle/leadership/Tenure"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { Clock, Duration, Effect, Exit, References, Scope } from "effect"
import { TestClock } from "effect/testing"
import { SharedLease, type Way } from "../fixtures/SharedLease.ts"

const leaseSeconds = 15
const deadlineSeconds = 10
const retrySeconds = 2

/** An agent that may be cut off or stopped. What it works on in each term notes when it begins and ends. */
const elected = (way: Way) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
    const tenure = yield* ElectedTenure.make.pipe(
      Effect.provideService(LeaseStore, way.store),
      Scope.provide(scope)
    )
    const terms = { begun: 0, ended: 0 }
    const work = Effect.acquireRelease(
      Effect.sync(() => (terms.begun += 1)),
      () => Effect.sync(() => (terms.ended += 1))
    ).pipe(Effect.andThen(Effect.never), Effect.scoped)
    yield* Effect.forkIn(tenure.whileLeading(work), scope)
    yield* settle
    return { tenure, terms, stop: Scope.close(scope, Exit.void) }
  })

/** Lets what is due now happen. */
const settle = Effect.repeat(Effect.yieldNow, { times: 50 })

const pass = (seconds: number) =>
  Effect.forEach(
    Array.from({ length: Math.round(seconds * 10) }),
    () => Effect.andThen(TestClock.adjust(Duration.millis(100)), settle),
    { discard: true }
  )

/** Tenths of a second until it holds. */
const until = Effect.fnUntraced(function* (holds: () => boolean, secondsMax: number) {
  for (let tenths = 0; tenths <= secondsMax * 10; tenths++) {
    if (holds()) return tenths / 10
    yield* pass(0.1)
  }
  return yield* Effect.die(new Error(`not within ${secondsMax} s`))
})

const test = <A, E>(effect: Effect.Effect<A, E, Scope.Scope | ShuttleConfig.ShuttleConfig>) =>
  Effect.scoped(effect).pipe(
    Effect.provide(ShuttleConfig.layerTest({})),
    Effect.provideService(References.MinimumLogLevel, "None")
  )

const leaders = (...agents: ReadonlyArray<{ readonly tenure: Tenure["Service"] }>) =>
  agents.filter(({ tenure }) => tenure.mayWrite()).length

describe("ElectedTenure", () => {
  it.effect("leads at once where nobody did, and does not let a second one", () =>
    test(
      Effect.gen(function* () {
        const lease = new SharedLease()
        const a = yield* elected(lease.way())
        const b = yield* elected(lease.way())
        assert.isTrue(a.tenure.mayWrite())
        for (let second = 0; second < 120; second++) {
          yield* pass(1)
          assert.deepStrictEqual([a.tenure.mayWrite(), b.tenure.mayWrite()], [true, false])
        }
        assert.deepStrictEqual(
          [a.terms, b.terms],
          [
            { begun: 1, ended: 0 },
            { begun: 0, ended: 0 }
          ]
        )
        assert.isTrue(yield* b.tenure.isAble)
        assert.strictEqual(lease.record?.transitions, 0)
      })
    )
  )

  it.effect("INV-LEA-1 one that is cut off stops by its deadline, another begins only after the lease", () =>
    test(
      Effect.gen(function* () {
        const lease = new SharedLease()
        const way = lease.way()
        const a = yield* elected(way)
        const b = yield* elected(lease.way())
        yield* pass(7.3)
        way.cut = "requests"
        const stopped = yield* until(() => !a.tenure.mayWrite(), deadlineSeconds)
        assert.isAtLeast(stopped, deadlineSeconds - retrySeconds)
        assert.strictEqual(a.terms.ended, 1)
        assert.isFalse(b.tenure.mayWrite())
        const took = stopped + (yield* until(() => b.tenure.mayWrite(), leaseSeconds))
        assert.isAtMost(took, leaseSeconds + retrySeconds)
        assert.isAtLeast(took, leaseSeconds - retrySeconds)
        assert.strictEqual(b.terms.begun, 1)
        way.cut = "no"
        yield* pass(60)
        assert.deepStrictEqual([a.tenure.mayWrite(), b.tenure.mayWrite()], [false, true])
        assert.strictEqual(lease.record?.transitions, 1)
      })
    )
  )

  it.effect("INV-LEA-1 never two at once, whoever is cut off from whatever, for as long as that lasts", () =>
    test(
      Effect.gen(function* () {
        const lease = new SharedLease()
        const ways = [lease.way(), lease.way(), lease.way()]
        const agents = yield* Effect.forEach(ways, elected)
        const ledBy = new Set<number>()
        const kinds = ["no", "no", "requests", "answers"] as const
        let seed = 1
        const chance = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below
        for (let round = 0; round < 80; round++) {
          for (const way of ways) way.cut = kinds[chance(kinds.length)] ?? "no"
          const tenths = 5 + chance(200)
          for (let tenth = 0; tenth < tenths; tenth++) {
            yield* pass(0.1)
            assert.isAtMost(leaders(...agents), 1)
            for (const [index, { tenure }] of agents.entries()) if (tenure.mayWrite()) ledBy.add(index)
          }
        }
        assert.strictEqual(ledBy.size, ways.length)
        for (const { tenure, terms } of agents) {
          assert.strictEqual(terms.begun - terms.ended, tenure.mayWrite() ? 1 : 0)
        }
      })
    )
  )

  it.effect("INV-LEA-2 one that stood still for longer than its deadline may not write when it wakes", () =>
    test(
      Effect.gen(function* () {
        const clock = yield* Clock.Clock
        let stoodStillMs = 0
        /** Timers did not run while it stood still; clocks did. */
        const standing: Clock.Clock = {
          ...clock,
          currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + stoodStillMs,
          monotonicTimeNanosUnsafe: () =>
            clock.monotonicTimeNanosUnsafe() + BigInt(Math.round(stoodStillMs * 1e6))
        }
        const lease = new SharedLease()
        const a = yield* Effect.provideService(elected(lease.way()), Clock.Clock, standing)
        assert.isTrue(a.tenure.mayWrite())
        stoodStillMs = deadlineSeconds * 1000 - 1
        assert.isTrue(a.tenure.mayWrite())
        assert.strictEqual(Duration.toMillis(a.tenure.left()), (leaseSeconds - deadlineSeconds) * 1000 + 1)
        stoodStillMs = deadlineSeconds * 1000
        assert.isFalse(a.tenure.mayWrite())
        stoodStillMs = leaseSeconds * 1000
        assert.strictEqual(Duration.toMillis(a.tenure.left()), 0)
      })
    )
  )

  it.effect(
    "INV-LEA-2 believes the worse of its two clocks as a leader, and waits by the monotonic one",
    () =>
      test(
        Effect.gen(function* () {
          const clock = yield* Clock.Clock
          let setForwardMs = 0
          const set: Clock.Clock = {
            ...clock,
            currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + setForwardMs
          }
          const lease = new SharedLease()
          const way = lease.way()
          const a = yield* Effect.provideService(elected(way), Clock.Clock, set)
          const b = yield* Effect.provideService(elected(lease.way()), Clock.Clock, set)
          way.cut = "requests"
          setForwardMs = 3_600_000
          assert.isFalse(a.tenure.mayWrite())
          yield* pass(leaseSeconds - retrySeconds - 1)
          assert.isFalse(b.tenure.mayWrite())
          yield* until(() => b.tenure.mayWrite(), retrySeconds * 2 + 1)
        })
      )
  )

  it.effect(
    "INV-LEA-3 gives the lead back when it stops, after its work has ended; another one has it within a retry",
    () =>
      test(
        Effect.gen(function* () {
          const lease = new SharedLease()
          const a = yield* elected(lease.way())
          const b = yield* elected(lease.way())
          yield* pass(5)
          yield* a.stop
          assert.strictEqual(a.terms.ended, 1)
          assert.strictEqual(lease.record?.holder, "")
          assert.isFalse(a.tenure.mayWrite())
          yield* until(() => b.tenure.mayWrite(), retrySeconds)
          assert.strictEqual(lease.record?.transitions, 1)
        })
      )
  )

  it.effect("INV-LEA-3 gives it back also where the version is no longer the one that it wrote", () =>
    test(
      Effect.gen(function* () {
        const lease = new SharedLease()
        const a = yield* elected(lease.way())
        lease.label("seen-by-somebody")
        yield* a.stop
        assert.strictEqual(lease.record?.holder, "")
        assert.hasAllKeys(lease.record?.labels, ["seen-by-somebody"])
      })
    )
  )

  it.effect("INV-LEA-4 a version that changes without a renewal is none", () =>
    test(
      Effect.gen(function* () {
        const lease = new SharedLease()
        const way = lease.way()
        const a = yield* elected(way)
        const b = yield* elected(lease.way())
        yield* pass(1)
        way.cut = "requests"
        yield* until(() => {
          lease.label("touched")
          return b.tenure.mayWrite()
        }, leaseSeconds + retrySeconds)
        assert.isFalse(a.tenure.mayWrite())
      })
    )
  )

  it.effect("leads again when the Lease was deleted, and nobody beside it", () =>
    test(
      Effect.gen(function* () {
        const lease = new SharedLease()
        const a = yield* elected(lease.way())
        const b = yield* elected(lease.way())
        yield* pass(3)
        lease.record = null
        for (let tenth = 0; tenth < 50; tenth++) {
          yield* pass(0.1)
          assert.isAtMost(leaders(a, b), 1)
        }
        assert.strictEqual(leaders(a, b), 1)
      })
    )
  )

  it.effect("an answer that was lost costs a leader nothing: it finds itself in the Lease", () =>
    test(
      Effect.gen(function* () {
        const lease = new SharedLease()
        const way = lease.way()
        way.cut = "answers"
        const a = yield* elected(way)
        yield* pass(1)
        assert.isFalse(a.tenure.mayWrite())
        way.cut = "no"
        yield* until(() => a.tenure.mayWrite(), retrySeconds)
        assert.strictEqual(lease.record?.transitions, 0)
      })
    )
  )

  it.effect("a leader that was held up leads a new term when nobody else took it", () =>
    test(
      Effect.gen(function* () {
        const lease = new SharedLease()
        const way = lease.way()
        const a = yield* elected(way)
        way.cut = "requests"
        yield* pass(deadlineSeconds + 1)
        assert.deepStrictEqual(a.terms, { begun: 1, ended: 1 })
        way.cut = "no"
        yield* until(() => a.tenure.mayWrite(), retrySeconds)
        yield* settle
        assert.deepStrictEqual(a.terms, { begun: 2, ended: 1 })
      })
    )
  )
})
