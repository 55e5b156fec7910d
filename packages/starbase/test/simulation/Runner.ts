/** One runner: the composition of `Starbase.ts` without ingress, in a process that the world can stop. */
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as Runners from "effect/cluster/Runners"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import { Socket } from "effect/socket/Socket"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { BuildService } from "@starform/starbase/builds/BuildService"
import * as ClusterRunner from "@starform/starbase/ClusterRunner"
import * as Entities from "@starform/starbase/Entities"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import * as EffectPerformer from "@starform/starbase/outbox/EffectPerformer"
import * as OutboxRelay from "@starform/starbase/outbox/OutboxRelay"
import * as RunnerPings from "@starform/starbase/runners/RunnerPings"
import { RunnerViews } from "@starform/starbase/runners/RunnerViews"
import * as PatientMessages from "@starform/starbase/PatientMessages"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import * as BuildOwner from "@starform/starbase/workflows/BuildOwner"
import * as BuildRelease from "@starform/starbase/workflows/BuildRelease"
import * as DeployRelease from "@starform/starbase/workflows/DeployRelease"
import * as DeployRunner from "@starform/starbase/workflows/DeployRunner"
import * as DeployWatch from "@starform/starbase/workflows/DeployWatch"
import type { Database } from "./FaultyStore.ts"
import * as SharedMessages from "./SharedMessages.ts"
import type { Wire } from "./Wire.ts"
import type { Process } from "./World.ts"

/** Few, so that a run is short; each still moves on its own. */
const shardsPerGroup = 6

export const deadlines = { build: Duration.seconds(60), rollout: Duration.seconds(60) }

export interface Shared {
  readonly database: Database
  readonly locksFor: (process: Process) => RunnerStorage.RunnerStorage["Service"]
  readonly viewsFor: (process: Process) => RunnerViews["Service"]
  readonly messages: SharedMessages.Driver
  readonly wire: Wire
}

const host = "10.0.0.1"

export const addressOf = (port: number) => `${host}:${port}`

const transport = (wire: Wire, process: Process, port: number) =>
  Layer.effect(
    Runners.RpcClientProtocol,
    Effect.map(RpcSerialization.RpcSerialization, (serialization) => ({
      codecFor: serialization.codecFor,
      make: (to) =>
        RpcClient.makeProtocolSocket().pipe(
          Effect.provideService(Socket, wire.socket(process, addressOf(port), `${to.host}:${to.port}`)),
          Effect.provideService(RpcSerialization.RpcSerialization, serialization)
        )
    }))
  )

const cluster = (
  { database, locksFor, viewsFor, messages, wire }: Shared,
  process: Process,
  port: number
) => {
  const client = transport(wire, process, port)
  const health = RunnerPings.layer.pipe(Layer.provide(Runners.layerRpc), Layer.provide(client))
  return ClusterRunner.layerServer.pipe(
    Layer.provide([wire.layerServer(process, host, port), client]),
    Layer.provide(health),
    Layer.provideMerge(PatientMessages.layer),
    Layer.provideMerge(SharedMessages.layer(messages, database.store, process)),
    Layer.provide(Layer.sync(RunnerStorage.RunnerStorage, () => locksFor(process))),
    Layer.provide(Layer.sync(RunnerViews, () => viewsFor(process))),
    Layer.provide(
      Layer.effect(
        ShardingConfig.ShardingConfig,
        Effect.map(StarbaseConfig.StarbaseConfig, (settings) => ({
          ...ShardingConfig.defaults,
          ...ClusterRunner.shardingOf(settings),
          runnerAddress: Option.some(RunnerAddress.make(host, port)),
          shardsPerGroup
        }))
      )
    ),
    Layer.provide(RpcSerialization.layerSchemaBinary())
  )
}

const composition = (shared: Shared, process: Process, port: number, builder: Layer.Layer<BuildService>) =>
  Layer.mergeAll(OutboxRelay.layerNoDeps, DeployWatch.layerNoDeps).pipe(
    Layer.provide(EffectPerformer.layerNoDeps),
    Layer.provide(DeployRunner.layerNoDeps),
    Layer.provideMerge(
      Layer.mergeAll(DeployRelease.layerNoDeps, BuildRelease.layerNoDeps, BuildOwner.layerNoDeps)
    ),
    Layer.provide(ClusterWorkflowEngine.layer),
    Layer.provideMerge(Entities.layerNoDeps),
    Layer.provideMerge(cluster(shared, process, port)),
    Layer.provideMerge(builder),
    Layer.provideMerge(shared.database.layer(process)),
    Layer.provideMerge(
      StarbaseConfig.layerTest({ buildDeadline: deadlines.build, rolloutDeadline: deadlines.rollout })
    )
  )

export interface Runner {
  readonly process: Process
  readonly port: number
  /** Of a runner that is up. */
  readonly clients: () => EntityClients["Service"] | undefined
  /** Hands its shards over and ends; `done` is called in the end. */
  readonly stop: (done: () => void) => void
}

export const start = (
  shared: Shared,
  process: Process,
  port: number,
  builder: Layer.Layer<BuildService>
): Runner => {
  const scope = Scope.makeUnsafe()
  let services: Context.Context<EntityClients> | undefined
  process.fork(
    Layer.buildWithScope(composition(shared, process, port, builder), scope).pipe(
      Effect.matchCause({
        onSuccess: (built) => {
          services = built as Context.Context<EntityClients>
          process.world.note(process.name, "is up")
        },
        onFailure: (cause) => process.world.note(process.name, `did not start: ${String(cause)}`)
      })
    )
  )
  return {
    process,
    port,
    clients: () => services?.mapUnsafe.get(EntityClients.key) as EntityClients["Service"] | undefined,
    stop: (done) =>
      process.fork(
        Effect.andThen(
          Scope.close(scope, Exit.void),
          Effect.sync(() => {
            process.kill()
            done()
          })
        )
      )
  }
}
