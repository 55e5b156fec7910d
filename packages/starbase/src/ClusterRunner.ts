/** This process as a runner of the cluster: membership and shard locks in the same Postgres, timers for failover in seconds. */
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
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

/** The runner port has no authentication yet, so it binds to loopback and nothing else. */
const runnerHost = "127.0.0.1"

/** Needs Postgres; its own tables create themselves. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { runnerPort } = yield* StarbaseConfig
    yield* checkTimers(timers)
    return NodeClusterSocket.layer({
      storage: "sql",
      shardingConfig: {
        ...timers,
        simulateRemoteSerialization: false,
        runnerAddress: Option.some(RunnerAddress.make(runnerHost, runnerPort)),
        availableShardGroups: [...shardGroups],
        assignedShardGroups: [...shardGroups]
      }
    })
  })
)
