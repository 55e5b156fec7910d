/**
 * Effect's `RunnerStorage`, watched: moves of shards are written down, and a drained runner counts as unhealthy when
 * shards are assigned. Whose a lock is stays with the storage that is watched.
 */
import { Unavailable } from "@starform/domain/errors/RequestErrors"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Runner } from "effect/cluster/Runner"
import type { RunnerAddress } from "effect/cluster/RunnerAddress"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import type * as ShardId from "effect/cluster/ShardId"
import { honoured, type RunnerFacts } from "./Drains.ts"
import { type Move, ShardRegister } from "./ShardRegister.ts"

/** Assignments do not wait longer for what operators asked for. */
const drainsMax = Duration.seconds(1)

export interface KnownRunner extends RunnerFacts {
  readonly weight: number
}

/** The runners as they registered and as the health check found them, whatever operators asked of them. */
export class KnownRunners extends Context.Service<
  KnownRunners,
  { readonly list: Effect.Effect<ReadonlyArray<KnownRunner>, Unavailable> }
>()("@starform/starbase/runners/KnownRunners") {}

export const nameOf = ({ host, port }: RunnerAddress): string => `${host}:${port}`

const watch = Effect.gen(function* () {
  const storage = yield* RunnerStorage
  const register = yield* ShardRegister
  /** What this process's runner holds, as far as it was told. */
  const held = new Set<string>()
  let lastDrained: ReadonlySet<string> = new Set()
  let lastRunners: ReadonlyMap<string, boolean> = new Map()

  const record = (kind: Move["kind"], address: RunnerAddress, shards: ReadonlyArray<string>) =>
    shards.length === 0 && kind !== "joined" && kind !== "left"
      ? Effect.void
      : register.record({ kind, runner: nameOf(address), shards: [...shards].sort() })

  const took = (address: RunnerAddress, shards: ReadonlyArray<ShardId.ShardId>) => {
    const news = shards.map(String).filter((shard) => !held.has(shard))
    for (const shard of news) held.add(shard)
    return record("acquired", address, news)
  }

  const gave = (kind: "released" | "lost", address: RunnerAddress, shards: ReadonlyArray<string>) =>
    record(
      kind,
      address,
      shards.filter((shard) => held.delete(shard))
    )

  /** A database that is away leaves in force what was last known. */
  const drained = register.drained.pipe(
    Effect.timeout(drainsMax),
    Effect.tap((now) => Effect.sync(() => (lastDrained = now))),
    Effect.orElseSucceed(() => lastDrained)
  )

  const factsOf = (runners: ReadonlyArray<readonly [Runner, boolean]>): ReadonlyArray<KnownRunner> =>
    runners.map(([{ address, groups, weight }, healthy]) => ({
      address: nameOf(address),
      groups,
      weight,
      healthy
    }))

  const known = KnownRunners.of({
    list: storage.getRunners.pipe(
      Effect.map(factsOf),
      Effect.mapError(() => new Unavailable({ what: "the register of runners" }))
    )
  })

  const watched = RunnerStorage.of({
    ...storage,
    register: (runner, healthy) =>
      Effect.tap(storage.register(runner, healthy), () => record("joined", runner.address, [])),
    unregister: (address) => Effect.tap(storage.unregister(address), () => record("left", address, [])),
    getRunners: Effect.gen(function* () {
      const runners = yield* storage.getRunners
      lastRunners = new Map(runners.map(([{ address }, healthy]) => [nameOf(address), healthy]))
      const asked = yield* drained
      if (asked.size === 0) return runners
      const without = honoured(factsOf(runners), asked)
      return runners.map(([runner, healthy]): [runner: Runner, healthy: boolean] => [
        runner,
        healthy && !without.has(nameOf(runner.address))
      ])
    }),
    // The health check finds a drained runner alive each time, and would write that each time.
    setRunnerHealth: (address, healthy) =>
      healthy && lastDrained.has(nameOf(address)) && lastRunners.get(nameOf(address)) === true
        ? Effect.void
        : storage.setRunnerHealth(address, healthy),
    acquire: (address, shards) =>
      Effect.tap(storage.acquire(address, shards), (acquired) => took(address, acquired)),
    refresh: (address, shards) => {
      const asked = [...shards]
      return Effect.tap(storage.refresh(address, asked), (kept) => {
        const still = new Set(kept.map(String))
        return gave(
          "lost",
          address,
          asked.map(String).filter((shard) => !still.has(shard))
        )
      })
    },
    release: (address, shard) =>
      Effect.tap(storage.release(address, shard), () => gave("released", address, [String(shard)])),
    releaseAll: (address) =>
      Effect.tap(storage.releaseAll(address), () => gave("released", address, [...held]))
  })

  return Context.make(RunnerStorage, watched).pipe(Context.add(KnownRunners, known))
})

/** Over another `RunnerStorage`, whose place it takes. */
export const layerNoDeps = Layer.effectContext(watch)
