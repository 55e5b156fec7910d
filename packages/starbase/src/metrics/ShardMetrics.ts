/** Which shards this process owns, read when somebody asks. */
import { Sharding } from "effect/cluster/Sharding"
import * as ShardId from "effect/cluster/ShardId"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { shardsOwned } from "./StarbaseMetrics.ts"

/** @param groups all shard groups, also those that this process takes no part in: they show 0 */
export const make = Effect.fnUntraced(function* (groups: ReadonlyArray<string>) {
  const sharding = yield* Sharding
  const { shardsPerGroup } = ShardingConfig.defaults
  const collect = Effect.forEach(
    groups,
    (group) => {
      let owned = 0
      for (let n = 1; n <= shardsPerGroup; n++) {
        if (sharding.hasShardId(ShardId.make(group, n))) owned += 1
      }
      return Metric.update(shardsOwned({ group }), owned)
    },
    { discard: true }
  )
  return { collect }
})
