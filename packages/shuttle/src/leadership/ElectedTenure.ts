/** The tenure of one of several agents: acquired, renewed and released by a Lease, and judged by this machine's clocks. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import { leads } from "../health/ShuttleMetrics.ts"
import { jitteredPause } from "../pacing/JitteredPause.ts"
import { logFailure } from "../pacing/LogFailure.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { agentIdentity } from "./AgentIdentity.ts"
import { claimed, type LeaseRecord, released } from "./LeaseRecord.ts"
import { LeaseStore } from "./LeaseStore.ts"
import { Tenure } from "./Tenure.ts"
import { heldMs, type Moment, seen, type SeenLease, untilFreeMs } from "./TenureRules.ts"

/** Loops and the release at the end are of its scope. */
export const make = Effect.gen(function* () {
  const { leaseDuration, leaseRenewDeadline, leaseRetryPeriod } = yield* ShuttleConfig
  const lease = yield* LeaseStore
  const clock = yield* Clock.Clock
  const identity = agentIdentity()
  const begun = yield* Latch.make()
  let known: SeenLease | null = null
  /** When the request was sent that took or renewed the Lease last; `null` for who does not lead. */
  let held: Moment | null = null
  /** Opened at the end of the present term. */
  let ended = yield* Latch.make(true)
  let isAble = false
  let failures = 0

  const now = (): Moment => ({
    monotonicNanos: clock.monotonicTimeNanosUnsafe(),
    wallMs: clock.currentTimeMillisUnsafe()
  })
  const leftOf = (bound: Duration.Duration): number =>
    held === null ? 0 : Math.max(0, Duration.toMillis(bound) - heldMs(held, now()))

  const end = Effect.fnUntraced(function* (why: string) {
    if (held === null) return
    held = null
    yield* Latch.close(begun)
    yield* Latch.open(ended)
    yield* Metric.update(leads, 0)
    yield* Effect.logWarning("Leads no longer", { identity, why })
  })

  /** A late answer may come when the lease that it brings is over already. */
  const lead = Effect.fnUntraced(function* (record: LeaseRecord, sent: Moment) {
    known = seen(known, record, now())
    const isNew = held === null
    held = sent
    if (leftOf(leaseRenewDeadline) === 0) return yield* end("the answer came too late")
    if (!isNew) return
    ended = yield* Latch.make()
    yield* Metric.update(leads, 1)
    yield* Effect.logInfo("Leads", { identity, transitions: record.transitions })
    yield* Latch.open(begun)
  })

  const write = Effect.fnUntraced(function* (before: LeaseRecord | null) {
    const sent = now()
    const written = yield* lease.write(before, claimed(before, identity, leaseDuration, sent.wallMs))
    if (Option.isNone(written)) return false
    isAble = true
    yield* lead(written.value, sent)
    return true
  })

  const attempt = Effect.gen(function* () {
    if (held !== null && known !== null && (yield* write(known.record))) return
    const found = yield* lease.read
    isAble = true
    const isFree = () => known === null || untilFreeMs(known, identity, leaseDuration, now()) === 0
    if (Option.isNone(found)) {
      yield* end("the Lease is gone")
      // Whoever held it may not know that yet.
      if (isFree()) yield* write(null)
      return
    }
    known = seen(known, found.value, now())
    if (found.value.holder !== identity) yield* end(`"${found.value.holder}" has the Lease`)
    if (isFree()) yield* write(found.value)
  })

  const turn = Effect.gen(function* () {
    yield* attempt.pipe(
      Effect.map(() => {
        failures = 0
      }),
      Effect.catch((error) =>
        Effect.suspend(() => logFailure(failures++)("No word of who leads", { problem: error.message }))
      )
    )
    if (held !== null) return yield* Effect.sleep(leaseRetryPeriod)
    const pause = yield* jitteredPause(leaseRetryPeriod, leaseRetryPeriod, 1)
    const free = known === null ? 0 : untilFreeMs(known, identity, leaseDuration, now())
    yield* Effect.sleep(free > 0 ? Duration.min(pause, Duration.millis(Math.ceil(free))) : pause)
  })

  /** Ends a term that no answer ended in time. */
  const watch = Effect.gen(function* () {
    yield* begun.await
    const left = leftOf(leaseRenewDeadline)
    if (left === 0) return yield* end("the Lease was not renewed in time")
    yield* Effect.sleep(Duration.millis(Math.ceil(left)))
  })

  /** A renewal that was cut off on the way may have changed the version: read once, then. */
  const release = Effect.gen(function* () {
    if (held === null || known === null) return
    yield* end("it stops")
    const giveBack = (record: LeaseRecord) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) => lease.write(record, released(record, nowMs)))
    if (Option.isSome(yield* giveBack(known.record))) return
    const found = yield* lease.read
    if (Option.isSome(found) && found.value.holder === identity) yield* giveBack(found.value)
  }).pipe(
    Effect.catch((error) => Effect.logWarning("The Lease was not released", { problem: error.message }))
  )

  yield* Metric.update(leads, 0)
  yield* Effect.addFinalizer(() => release)
  yield* Effect.forkScoped(Effect.forever(turn))
  yield* Effect.forkScoped(Effect.forever(watch))

  return Tenure.of({
    isElected: true,
    mayWrite: () => leftOf(leaseRenewDeadline) > 0,
    left: () => Duration.millis(leftOf(leaseDuration)),
    whileLeading: (work) =>
      Effect.forever(
        Effect.flatMap(begun.await, () =>
          Effect.raceFirst(
            Effect.andThen(work, Effect.never),
            Effect.suspend(() => ended.await)
          )
        )
      ),
    isAble: Effect.sync(() => isAble)
  })
})
