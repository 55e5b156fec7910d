/** This process as a runner of the cluster: membership and shard locks in the same Postgres, timers for failover in seconds. */
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as Runners from "effect/cluster/Runners"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as RunnerServer from "effect/cluster/RunnerServer"
import * as Sharding from "effect/cluster/Sharding"
import * as SqlMessageStorage from "effect/cluster/SqlMessageStorage"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Database from "./Database.ts"
import { lean } from "./entities/Surroundings.ts"
import * as PatientMessages from "./PatientMessages.ts"
import * as GatheredRefreshes from "./runners/GatheredRefreshes.ts"
import * as LenientClock from "./runners/LenientClock.ts"
import * as KnownRequests from "./runners/KnownRequests.ts"
import * as ShardRegister from "./runners/ShardRegister.ts"
import * as WatchedRunnerStorage from "./runners/WatchedRunnerStorage.ts"
import * as RunnerPings from "./runners/RunnerPings.ts"
import * as RunnerViews from "./runners/RunnerViews.ts"
import * as RunnerSafety from "./RunnerSafety.ts"
import * as RunnerTransport from "./RunnerTransport.ts"
import { type Role, StarbaseConfig, type StarbaseSettings } from "./StarbaseConfig.ts"

/** Shards of entities and workflows, and of builds: a rollback never waits for a builder. The same on every runner. */
export const shardGroups = ["default", "builds"] as const

const groupsOf: Readonly<Record<Role, ReadonlyArray<(typeof shardGroups)[number]>>> = {
  api: ["default"],
  worker: ["builds"],
  all: shardGroups
}

/**
 * What is no setting. Measured on this version: with these and the settings' defaults a runner that was killed is
 * replaced in about 3 s, with the library's own in 35 s.
 */
const timers = {
  refreshAssignmentsInterval: Duration.millis(500),
  entityMessagePollInterval: Duration.seconds(1),
  /** A handler may finish its append; what waits for the outside world (a build, a rollout) is taken up by the next owner. */
  entityTerminationTimeout: Duration.millis(500),
  /**
   * A stored message for a type that is not registered yet waits: the library's minute would turn a deploy into a defect for
   * ever when a start is slow, or when a newer runner's message reaches an older one. Asks do not (`KnownRequests`).
   */
  entityRegistrationTimeout: Duration.days(1)
}

/**
 * Of each group. A runner that leaves gives its locks back one by one, two statements each within one second: the library's
 * 300 took longer than that on a busy machine, and the hand-over ended in repeats. More runners than this per group idle.
 * A prime: the library's hash of an id is weak in its low bits, and with 64 ids that count up shared two shards.
 * Part of where entities and stored messages are: a change of it loses the messages that wait.
 */
export const shardsPerGroup = 61

/** How a runner with these settings shares the work; its address is told beside them. */
export const shardingOf = (settings: StarbaseSettings) => ({
  ...timers,
  shardLockExpiration: settings.runnerLockExpiry,
  shardLockRefreshInterval: settings.runnerLockRefresh,
  runnerHealthCheckInterval: settings.runnerHealthCheck,
  entityMailboxCapacity: settings.entityRequestsMax,
  maxResidentEntities: settings.entitiesMax,
  simulateRemoteSerialization: false,
  shardsPerGroup,
  availableShardGroups: [...shardGroups],
  assignedShardGroups: [...groupsOf[settings.role]]
})

const unhurried = Layer.succeed(Database.StatementMax, Duration.infinity)

/** effect's tables, which it brings up to date itself. */
const messages = SqlMessageStorage.layerStorage({}).pipe(
  Layer.provide(Layer.provide(SqlMessageStorage.layerMigrations({}), unhurried)),
  Layer.provide(NodeCrypto.layerDigest)
)
const locks = SqlRunnerStorage.layerStorage({}).pipe(
  Layer.provide(Layer.provide(SqlRunnerStorage.layerMigrations({}), unhurried))
)

/**
 * Connections that nothing else may take: one holds the shard locks, one may be on its way to take its place, the others
 * are for who is there. A runner that is busy with appends keeps its shards, and one that lost its locks can have them back.
 */
const ownConnections = 5

const members = (databaseUrl: StarbaseSettings["databaseUrl"]) =>
  WatchedRunnerStorage.layerNoDeps.pipe(
    Layer.provide(GatheredRefreshes.layerNoDeps.pipe(Layer.provide(locks))),
    Layer.provideMerge(Layer.merge(ShardRegister.layerPostgres, RunnerViews.layerPostgres)),
    Layer.provide(Layer.orDie(Database.layer({ url: databaseUrl, connectionsMax: ownConnections })))
  )

/** The runner's port, and what comes in there or goes out to other runners, over whatever carries it and stores it. */
export const layerServer = RunnerServer.layer.pipe(
  Layer.provideMerge(KnownRequests.layerNoDeps.pipe(Layer.provide(Sharding.layer))),
  Layer.provideMerge(Runners.layerRpc),
  Layer.provide(RpcServer.layerProtocolSocketServer)
)

/**
 * Needs Postgres, and the tables of `JournalSchema`; effect's own create themselves.
 *
 * @errors UnsafeRunner when the settings would let two runners own one shard, or strangers reach the runner's port
 */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* StarbaseConfig
    yield* RunnerSafety.check(settings)
    const { runnerHost, runnerPort, masterKey, databaseUrl } = settings
    const listen = { host: RunnerSafety.listenHostOf(settings), port: runnerPort }
    const client = RunnerTransport.layerClient(masterKey)
    return lean(layerServer).pipe(
      Layer.provide([RunnerTransport.layerServer(masterKey, listen), client]),
      Layer.provide(RunnerPings.layer.pipe(Layer.provide(Runners.layerRpc), Layer.provide(client))),
      Layer.provideMerge(PatientMessages.layer),
      Layer.provideMerge(messages),
      Layer.provideMerge(members(databaseUrl)),
      Layer.provide(
        ShardingConfig.layer({
          ...shardingOf(settings),
          runnerAddress: Option.some(RunnerAddress.make(runnerHost, runnerPort))
        })
      ),
      Layer.provide(RpcSerialization.layerSchemaBinary()),
      Layer.provide(LenientClock.layer)
    )
  })
)
