/**
 * Whether a runner is there. Every runner pings all others and tells, through the database, who answered; whoever sees that
 * one does not answer judges by what all told, itself included, and has those that are cut off hold no shards (decision
 * 0015). The one that looks after all (a singleton of the cluster) judges by the same, and lets them back.
 */
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import type { Runner } from "effect/cluster/Runner"
import type { RunnerAddress } from "effect/cluster/RunnerAddress"
import * as Runners from "effect/cluster/Runners"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import { ShardingConfig } from "effect/cluster/ShardingConfig"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedules from "../Schedules.ts"
import { cutOff } from "./RunnerVerdict.ts"
import { RunnerViews } from "./RunnerViews.ts"
import { nameOf } from "./WatchedRunnerStorage.ts"

/** One ping of a runner. Nobody listening is known at once; a runner that is busy is given longer. */
const pingMax = Duration.seconds(2)

/** A verdict is of all runners at once, and is asked for by one after the other. */
const verdictLasts = Duration.millis(100)

/** How long the end of a process waits for its view to be forgotten. */
const lastWriteMax = Duration.seconds(1)

/**
 * Who answers this runner. One that does not answer three pings in a row is away: known 0.5 s after its port closed, 6.5 s
 * after it froze.
 */
const pings = Effect.fnUntraced(function* (name: string) {
  const runners = yield* Runners.Runners
  const members = yield* RunnerStorage
  const { runnerHealthCheckInterval } = yield* ShardingConfig
  const pause = Effect.sleep(runnerHealthCheckInterval)
  const seen = new Map<string, boolean>()
  const news = Latch.makeUnsafe(false)

  const answers = (address: RunnerAddress) =>
    runners.ping(address).pipe(Effect.timeout(pingMax), Effect.retry(Schedules.runnerPings), Effect.isSuccess)

  const watch = (address: RunnerAddress) =>
    answers(address).pipe(
      Effect.tap((is) =>
        Effect.sync(() => {
          if (seen.get(nameOf(address)) === is) return
          seen.set(nameOf(address), is)
          news.openUnsafe()
        })
      ),
      Effect.andThen(pause),
      Effect.forever
    )

  const watched = yield* FiberMap.make<string>()
  yield* Effect.gen(function* () {
    const all = yield* members.getRunners
    const others = new Map(all.map(([{ address }]) => [nameOf(address), address]))
    others.delete(name)
    for (const [other] of watched) if (!others.has(other)) yield* FiberMap.remove(watched, other)
    for (const other of seen.keys()) if (!others.has(other)) seen.delete(other)
    for (const [other, address] of others) {
      yield* FiberMap.run(watched, other, watch(address), { onlyIfMissing: true })
    }
  }).pipe(Effect.ignore, Effect.andThen(pause), Effect.forever, Effect.forkScoped)

  return {
    seen: seen as ReadonlyMap<string, boolean>,
    /** Now, at every change, and at least once in a health check's time. */
    atNews: <A, E>(tell: Effect.Effect<A, E>) =>
      Effect.suspend(() => {
        news.closeUnsafe()
        return Effect.ignore(tell)
      }).pipe(Effect.andThen(Effect.raceFirst(news.await, pause)), Effect.forever, Effect.forkScoped)
  }
})

/** Shard groups that no healthy runner takes. */
const abandoned = (runners: ReadonlyArray<readonly [Runner, boolean]>): ReadonlySet<string> => {
  const groups = new Set(runners.flatMap(([runner]) => runner.groups))
  for (const [runner, healthy] of runners) {
    if (healthy) for (const group of runner.groups) groups.delete(group)
  }
  return groups
}

const judge = Effect.fnUntraced(function* (self: RunnerAddress) {
  const members = yield* RunnerStorage
  const views = yield* RunnerViews
  const name = nameOf(self)
  const { seen, atNews } = yield* pings(name)
  let last = ""

  const say = (out: ReadonlySet<string>) => {
    const names = [...out].sort().join(", ")
    if (names === last) return Effect.void
    last = names
    return names === ""
      ? Effect.logInfo("all runners reach each other")
      : Effect.logWarning(`cut off from other runners, and to hold no shards: ${names}`)
  }
  const verdict = Effect.gen(function* () {
    const runners = yield* members.getRunners
    const told = new Map(yield* views.told).set(name, seen)
    const facts = runners.map(([{ address, groups }, healthy]) => ({
      address: nameOf(address),
      groups,
      healthy
    }))
    const out = cutOff(facts, told)
    yield* say(out)
    return { runners, out }
  })

  /**
   * What the singleton would do in its next round, if it is not the one that is away; and what nobody else does: two that
   * judged at the same time may have taken each other out, and with them the last who could hold the singleton's shard.
   */
  const carryOut = Effect.gen(function* () {
    const isAllSeen = ![...seen.values()].includes(false)
    if (isAllSeen && abandoned(yield* members.getRunners).size === 0) return
    const { runners, out } = yield* verdict
    const groups = abandoned(runners)
    for (const [{ address, groups: taken }, healthy] of runners) {
      const isOut = out.has(nameOf(address))
      if (healthy && isOut) yield* members.setRunnerHealth(address, false)
      if (!healthy && !isOut && taken.some((group) => groups.has(group))) {
        yield* members.setRunnerHealth(address, true)
      }
    }
  })

  yield* Effect.addFinalizer(() => Effect.ignore(Effect.timeout(views.forget(name), lastWriteMax)))
  yield* atNews(Effect.andThen(views.tell(name, seen), carryOut))
  const shared = yield* Effect.cachedWithTTL(verdict, verdictLasts)
  return (address: RunnerAddress) => Effect.map(shared, ({ out }) => !out.has(nameOf(address)))
})

export const layer = Layer.effect(
  RunnerHealth.RunnerHealth,
  Effect.gen(function* () {
    const { runnerAddress } = yield* ShardingConfig
    if (Option.isNone(runnerAddress)) {
      return RunnerHealth.RunnerHealth.of({ isAlive: () => Effect.succeed(true) })
    }
    const isConnected = yield* judge(runnerAddress.value)
    return RunnerHealth.RunnerHealth.of({
      // A store that is away knows no better; its own silence moves the shards.
      isAlive: (address) => Effect.orElseSucceed(isConnected(address), () => true)
    })
  })
)
