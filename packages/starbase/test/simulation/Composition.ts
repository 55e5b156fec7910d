/** What a runner of each role is made of: `Starbase.ts` over the stores of a run, with the doors that a test can knock at. */
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as Runners from "effect/cluster/Runners"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as HttpRouter from "effect/http/HttpRouter"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import { Socket } from "effect/socket/Socket"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as AgentRoutes from "@starform/starbase/api/AgentRoutes"
import * as Directory from "@starform/starbase/api/Directory"
import * as PlainPulls from "@starform/starbase/api/PlainPulls"
import * as RequestLimit from "@starform/starbase/api/RequestLimit"
import * as ServiceCatalog from "@starform/starbase/api/ServiceCatalog"
import * as BuildLog from "@starform/starbase/builds/BuildLog"
import type { BuildService } from "@starform/starbase/builds/BuildService"
import * as ClusterRunner from "@starform/starbase/ClusterRunner"
import * as Entities from "@starform/starbase/Entities"
import * as EntityClients from "@starform/starbase/entities/EntityClients"
import * as BranchMover from "@starform/starbase/git/BranchMover"
import * as BranchSettlement from "@starform/starbase/git/BranchSettlement"
import * as DeployFollower from "@starform/starbase/git/DeployFollower"
import * as GitConfig from "@starform/starbase/git/GitConfig"
import * as GitRepositories from "@starform/starbase/git/GitRepositories"
import * as PushSession from "@starform/starbase/git/PushSession"
import * as RepositoryBundles from "@starform/starbase/git/RepositoryBundles"
import * as EffectPerformer from "@starform/starbase/outbox/EffectPerformer"
import * as OutboxRelay from "@starform/starbase/outbox/OutboxRelay"
import * as PatientMessages from "@starform/starbase/PatientMessages"
import * as RunnerPings from "@starform/starbase/runners/RunnerPings"
import { RunnerViews } from "@starform/starbase/runners/RunnerViews"
import * as Authenticator from "@starform/starbase/security/Authenticator"
import * as KnownOwners from "@starform/starbase/security/KnownOwners"
import { Vault } from "@starform/starbase/security/Vault"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import * as BuildOwner from "@starform/starbase/workflows/BuildOwner"
import * as BuildRelease from "@starform/starbase/workflows/BuildRelease"
import * as DeployRelease from "@starform/starbase/workflows/DeployRelease"
import * as DeployRunner from "@starform/starbase/workflows/DeployRunner"
import * as DeployWatch from "@starform/starbase/workflows/DeployWatch"
import type { Database } from "./FaultyStore.ts"
import type { SharedFiles } from "./SharedFiles.ts"
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
  readonly files: SharedFiles
}

/** One process of a run, and where it is. */
export interface Site {
  readonly shared: Shared
  readonly process: Process
  readonly host: string
  readonly port: number
  readonly role: StarbaseConfig.Role
}

const transport = ({ shared: { wire }, process, host, port }: Site) =>
  Layer.effect(
    Runners.RpcClientProtocol,
    Effect.map(RpcSerialization.RpcSerialization, (serialization) => ({
      codecFor: serialization.codecFor,
      make: (to) =>
        RpcClient.makeProtocolSocket().pipe(
          Effect.provideService(Socket, wire.socket(process, `${host}:${port}`, `${to.host}:${to.port}`)),
          Effect.provideService(RpcSerialization.RpcSerialization, serialization)
        )
    }))
  )

const cluster = (site: Site) => {
  const { shared, process, host, port } = site
  const { database, locksFor, messages, viewsFor, wire } = shared
  const client = transport(site)
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

/** No tenant of a run has a secret. */
const vault = Layer.succeed(Vault, {
  seal: (_, __, value) => Effect.succeed({ keyId: "", sealed: Redacted.value(value) }),
  open: (_, { sealed }) => Effect.succeed(Redacted.make(sealed))
})

const random = ({ chance }: Process) =>
  Layer.succeed(
    SecureRandom.SecureRandom,
    SecureRandom.make((size) => Uint8Array.from({ length: size }, () => chance.below(256)))
  )

const foundation = ({ shared: { database, files }, process, role }: Site) =>
  BuildLog.layer().pipe(
    Layer.provideMerge(Layer.mergeAll(database.layer(process), files.layer(process), random(process), vault)),
    Layer.provideMerge(
      StarbaseConfig.layerTest({
        role,
        buildDeadline: deadlines.build,
        rolloutDeadline: deadlines.rollout,
        dataDirectory: "/data"
      })
    )
  )

const actors = (site: Site) =>
  ServiceCatalog.layerNoDeps.pipe(
    Layer.provideMerge(Layer.mergeAll(Directory.layerNoDeps, Authenticator.layerNoDeps)),
    Layer.provideMerge(KnownOwners.layerNoDeps),
    Layer.provideMerge(Entities.layerNoDeps),
    Layer.provideMerge(cluster(site))
  )

const git = Layer.merge(PushSession.layerNoDeps, BranchMover.layerNoDeps).pipe(
  Layer.provideMerge(Layer.mergeAll(BranchSettlement.layerNoDeps, DeployFollower.layerNoDeps)),
  Layer.provideMerge(GitRepositories.layerNoDeps),
  Layer.provideMerge(RepositoryBundles.layerNoDeps),
  Layer.provideMerge(GitConfig.layer)
)

const deploys = Layer.mergeAll(OutboxRelay.layerNoDeps, DeployWatch.layerNoDeps).pipe(
  Layer.provide(EffectPerformer.layerNoDeps),
  Layer.provide(DeployRunner.layerNoDeps),
  Layer.provideMerge(DeployRelease.layerNoDeps)
)

const building = Layer.mergeAll(BuildRelease.layerNoDeps, BuildOwner.layerNoDeps)

const routes = HttpRouter.toHttpEffect(
  Layer.mergeAll(PlainPulls.layerRoutes, RequestLimit.layerRoutes, AgentRoutes.layerRoutes)
)

/** HTTP as it reaches a runner: the routes that agents ask. */
export class AgentDoor extends Context.Service<AgentDoor, Effect.Success<typeof routes>>()(
  "simulation/AgentDoor"
) {}

const doors = Layer.effect(AgentDoor, routes).pipe(Layer.provideMerge(git))

type Builder = Layer.Layer<BuildService, never, BuildLog.BuildLog>

const all = (site: Site, builder: Builder) =>
  doors.pipe(
    Layer.provideMerge(Layer.merge(deploys, building).pipe(Layer.provide(ClusterWorkflowEngine.layer))),
    Layer.provideMerge(actors(site)),
    Layer.provideMerge(builder),
    Layer.provideMerge(foundation(site))
  )

const api = (site: Site) =>
  doors.pipe(
    Layer.provideMerge(deploys.pipe(Layer.provide(ClusterWorkflowEngine.layer))),
    Layer.provideMerge(actors(site)),
    Layer.provideMerge(foundation(site))
  )

const worker = (site: Site, builder: Builder) =>
  building.pipe(
    Layer.provide(ClusterWorkflowEngine.layer),
    Layer.provideMerge(EntityClients.layerNoDeps),
    Layer.provideMerge(cluster(site)),
    Layer.provideMerge(builder),
    Layer.provideMerge(foundation(site))
  )

/** What people and agents come to; a worker has none of it. */
export type Doors = Layer.Success<ReturnType<typeof api>>

/** Builds all of a runner; answers its doors unless it is a worker. */
export const build = (
  site: Site,
  builder: Builder
): Effect.Effect<Context.Context<Doors> | null, never, Scope.Scope> => {
  switch (site.role) {
    case "worker":
      return Effect.as(Layer.build(worker(site, builder)), null)
    case "api":
      return Layer.build(api(site))
    case "all":
      return Layer.build(all(site, builder))
  }
}
