/**
 * A probe over time: delay, period and thresholds as Kubernetes counts them. In a container's first moments extra
 * attempts are made in between until the first one passes: they are noticed when they succeed and never counted when
 * they fail, so a container is ready as soon as it is, and a threshold still means what it says.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { runProbe, type ProbeResult, type ProbeTarget } from "./ContainerProbe.ts"
import type { ProbeSpecification } from "./PodSpecification.ts"

/** A change of mind: `successThreshold` passes or `failureThreshold` failures in a row. */
export interface ProbeVerdict {
  readonly passing: boolean
  readonly output: string
}

export interface ProbeLoopOptions {
  readonly target: ProbeTarget
  readonly probe: ProbeSpecification
  /** What is believed before the first verdict: liveness starts out passing, the others failing. */
  readonly initially: boolean
  readonly eagerPeriod: Duration.Duration
  readonly eagerWindow: Duration.Duration
  /** Every verdict that differs from the one before; also a failing one that repeats. */
  readonly onVerdict: (verdict: ProbeVerdict) => Effect.Effect<void>
  /** Every counted failure, for the event log. */
  readonly onFailure: (output: string) => Effect.Effect<void>
}

interface Streak {
  passes: number
  failures: number
  passing: boolean
}

/** Runs until interrupted. */
export const probeLoop = Effect.fnUntraced(function* (options: ProbeLoopOptions) {
  const { probe, target } = options
  const period = Duration.seconds(Math.max(1, probe.periodSeconds))
  const eagerKind = probe.exec === undefined && probe.successThreshold === 1
  const streak: Streak = { passes: 0, failures: 0, passing: options.initially }
  yield* Effect.sleep(Duration.seconds(probe.initialDelaySeconds))
  const startedAt = yield* Clock.currentTimeMillis
  const eagerUntil = startedAt + Duration.toMillis(options.eagerWindow)

  const count = Effect.fnUntraced(function* (result: ProbeResult) {
    if (result._tag === "Passed") {
      streak.passes += 1
      streak.failures = 0
      if (!streak.passing && streak.passes >= probe.successThreshold) {
        streak.passing = true
        yield* options.onVerdict({ passing: true, output: "" })
      }
      return
    }
    streak.failures += 1
    streak.passes = 0
    yield* options.onFailure(result.output)
    if (streak.failures >= probe.failureThreshold) {
      streak.passing = false
      yield* options.onVerdict({ passing: false, output: result.output })
    }
  })

  const eagerUntilTick = Effect.fnUntraced(function* (tickAt: number) {
    let now = yield* Clock.currentTimeMillis
    while (!streak.passing && now < Math.min(tickAt, eagerUntil)) {
      yield* Effect.sleep(options.eagerPeriod)
      const result = yield* runProbe(target, probe)
      if (result._tag === "Passed") {
        yield* count(result)
      }
      now = yield* Clock.currentTimeMillis
    }
  })

  let tickAt = startedAt
  while (true) {
    yield* count(yield* runProbe(target, probe))
    tickAt += Duration.toMillis(period)
    if (eagerKind && !streak.passing) {
      yield* eagerUntilTick(tickAt)
    }
    const now = yield* Clock.currentTimeMillis
    tickAt = Math.max(tickAt, now)
    yield* Effect.sleep(Duration.millis(tickAt - now))
  }
})
