/**
 * Whether a runner is there, as the one that looks after the others finds it (a singleton of the cluster). It may be the
 * one that is cut off: then nobody answers it, and believing itself it would take every shard from runners that are well.
 */
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import type { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as Runners from "effect/cluster/Runners"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import { ShardingConfig } from "effect/cluster/ShardingConfig"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedules from "../Schedules.ts"

/** One ping of a runner. Nobody listening is known at once; a runner that is busy is given longer. */
const pingMax = Duration.seconds(2)

/** A runner that is alone with another cannot tell which of the two is cut off: the other is away. */
const othersToDoubtOneself = 2

/**
 * A runner that does not answer three pings in a row is away: known 0.5 s after its port closed, 6.5 s after it froze. Who
 * reaches none of two or more others that refresh their locks is cut off itself: it leaves them alone and declares itself
 * unhealthy, so that another takes its shards, and the looking after, until somebody reaches it again.
 */
export const layer = Layer.effect(
  RunnerHealth.RunnerHealth,
  Effect.gen(function* () {
    const runners = yield* Runners.Runners
    const members = yield* RunnerStorage
    const { runnerAddress } = yield* ShardingConfig

    const isSelf = (address: RunnerAddress) =>
      Option.exists(runnerAddress, (self) => Equal.equals(self, address))
    const once = (address: RunnerAddress) => runners.ping(address).pipe(Effect.timeout(pingMax))
    const answers = (address: RunnerAddress) =>
      once(address).pipe(Effect.retry(Schedules.runnerPings), Effect.isSuccess)

    /** Runners that refreshed their locks of late; those that died are forgotten after `STARBASE_RUNNER_LOCK_EXPIRY`. */
    const present = Effect.map(members.getRunners, (all) => all.map(([runner]) => runner))
    const isCutOff = Effect.gen(function* () {
      const all = yield* present
      const others = all.filter(({ address }) => !isSelf(address))
      const addresses = others.map(({ address }) => address)
      // Shards that nobody else takes help nobody, and the looking after would end with them.
      const groups = new Set(others.flatMap((other) => other.groups))
      const isNeeded = all.some(
        (runner) => isSelf(runner.address) && runner.groups.some((group) => !groups.has(group))
      )
      if (isNeeded || addresses.length < othersToDoubtOneself) return false
      const reached = yield* Effect.forEach(addresses, (address) => Effect.isSuccess(once(address)), {
        concurrency: "unbounded"
      })
      return !reached.includes(true)
    })
    const declareUnhealthy = Option.match(runnerAddress, {
      onNone: () => Effect.void,
      onSome: (self) =>
        Effect.logWarning("this runner reaches no other: it gives its shards away").pipe(
          Effect.andThen(members.setRunnerHealth(self, false))
        )
    })

    let hasGivenUp = false
    const self = Effect.suspend(() => (hasGivenUp ? isCutOff : Effect.succeed(false))).pipe(
      Effect.tap((isStill) => Effect.sync(() => (hasGivenUp = isStill))),
      Effect.map((isStill) => !isStill)
    )
    const other = Effect.fnUntraced(function* (address: RunnerAddress) {
      if (yield* answers(address)) return true
      if (!(yield* isCutOff)) return false
      hasGivenUp = true
      yield* declareUnhealthy
      return true
    })

    return RunnerHealth.RunnerHealth.of({
      // A store that is away knows no better; its own silence moves the shards.
      isAlive: (address) => Effect.orElseSucceed(isSelf(address) ? self : other(address), () => true)
    })
  })
)
