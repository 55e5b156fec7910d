/** This process as a runner of the cluster: membership and shard locks in the same Postgres, timers for failover in seconds. */
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SocketRunner from "effect/cluster/SocketRunner"
import * as SqlMessageStorage from "effect/cluster/SqlMessageStorage"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as Schema from "effect/Schema"
import * as ShardRegister from "./runners/ShardRegister.ts"
import * as WatchedRunnerStorage from "./runners/WatchedRunnerStorage.ts"
import * as RunnerTransport from "./RunnerTransport.ts"
import { StarbaseConfig } from "./StarbaseConfig.ts"

/** Shards of entities and workflows, and of builds: a rollback never waits for a builder. */
export const shardGroups = ["default", "builds"] as const

/**
 * Measured on this version: with these a runner that was killed is replaced in about 3 s, with the defaults in 35 s.
 *
 * @source design §2
 */
export const timers = {
  shardLockRefreshInterval: Duration.seconds(1),
  shardLockExpiration: Duration.seconds(5),
  refreshAssignmentsInterval: Duration.millis(500),
  runnerHealthCheckInterval: Duration.seconds(1),
  entityMessagePollInterval: Duration.seconds(1),
  /** A handler may finish its append; what waits for the outside world (a build, a rollout) is taken up by the next owner. */
  entityTerminationTimeout: Duration.millis(500)
}

/** A setting that would let two runners own one shard, or a bind that strangers could reach. */
export class UnsafeRunner extends Schema.TaggedError<UnsafeRunner>()("UnsafeRunner", {
  setting: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `${this.setting}: ${this.problem}`
  }
}

/** Expiry must outlast three refreshes, or one slow refresh hands a living runner's shards to another. */
export const checkTimers = (settings: typeof timers): Effect.Effect<void, UnsafeRunner> =>
  Duration.toMillis(settings.shardLockExpiration) > 3 * Duration.toMillis(settings.shardLockRefreshInterval)
    ? Effect.void
    : Effect.fail(
        new UnsafeRunner({ setting: "shardLockExpiration", problem: "must exceed three refresh intervals" })
      )

/** Runners of several hosts need an address that the others can reach; that comes with more than one host. */
const runnerHost = "127.0.0.1"

/** Needs Postgres; its own tables create themselves. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { runnerPort, masterKey } = yield* StarbaseConfig
    yield* checkTimers(timers)
    const client = RunnerTransport.layerClient(masterKey)
    const health = RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc), Layer.provide(client))
    return SocketRunner.layer.pipe(
      Layer.provide([RunnerTransport.layerServer(masterKey, { host: runnerHost, port: runnerPort }), client]),
      Layer.provide(health),
      Layer.provideMerge(SqlMessageStorage.layer.pipe(Layer.provide(NodeCrypto.layerDigest))),
      Layer.provideMerge(
        WatchedRunnerStorage.layerNoDeps.pipe(Layer.provide(Layer.orDie(SqlRunnerStorage.layer)))
      ),
      Layer.provideMerge(ShardRegister.layerPostgres),
      Layer.provide(
        ShardingConfig.layer({
          ...timers,
          simulateRemoteSerialization: false,
          runnerAddress: Option.some(RunnerAddress.make(runnerHost, runnerPort)),
          availableShardGroups: [...shardGroups],
          assignedShardGroups: [...shardGroups]
        })
      ),
      Layer.provide(RpcSerialization.layerSchemaBinary())
    )
  })
)
