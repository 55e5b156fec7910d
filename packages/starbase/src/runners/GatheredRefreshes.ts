/**
 * Effect's `RunnerStorage`, whose refreshes are gathered. Each final reply of a stored message asks for one refresh of its
 * shard, two round trips on the one connection that holds the locks, and the refresh of all shards, which decides whether
 * this runner goes on, would wait behind a burst of them. What is asked while one is under way is one refresh together.
 */
import type { PersistenceError } from "effect/cluster/ClusterError"
import type { RunnerAddress } from "effect/cluster/RunnerAddress"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import type * as ShardId from "effect/cluster/ShardId"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

interface Refresh {
  readonly address: RunnerAddress
  /** By name. */
  readonly shards: Map<string, ShardId.ShardId>
  readonly kept: Deferred.Deferred<ReadonlyArray<ShardId.ShardId>, PersistenceError>
}

/** Over another `RunnerStorage`, whose place it takes. Refreshes are of one address, this runner's. */
export const layerNoDeps: Layer.Layer<RunnerStorage, never, RunnerStorage> = Layer.effect(
  RunnerStorage,
  Effect.gen(function* () {
    const storage = yield* RunnerStorage
    const scope = yield* Effect.scope
    let next: Refresh | undefined
    let isUnderWay = false

    /** What asks from now on must not be answered by what is under way: a lock may be lost in between. */
    const perform: Effect.Effect<void> = Effect.suspend(() => {
      const refresh = next
      next = undefined
      isUnderWay = refresh !== undefined
      if (refresh === undefined) return Effect.void
      return storage.refresh(refresh.address, refresh.shards.values()).pipe(
        Effect.onExit((exit) => Deferred.done(refresh.kept, exit)),
        Effect.ignoreCause,
        Effect.andThen(perform)
      )
    })

    return RunnerStorage.of({
      ...storage,
      refresh: (address, shardIds) =>
        Effect.suspend(() => {
          const asked = new Map(Array.from(shardIds, (shard) => [String(shard), shard] as const))
          // The probe of a storage that was away; it has a connection of its own.
          if (asked.size === 0) return storage.refresh(address, [])
          const refresh = (next ??= { address, shards: new Map(), kept: Deferred.makeUnsafe() })
          for (const [name, shard] of asked) refresh.shards.set(name, shard)
          const begin = isUnderWay ? Effect.void : Effect.forkIn(perform, scope, { startImmediately: true })
          return Effect.andThen(begin, Deferred.await(refresh.kept)).pipe(
            Effect.map((kept) => kept.filter((shard) => asked.has(String(shard))))
          )
        })
    })
  })
)
