/**
 * The composition of one Starbase process: stores → runner → entities → workflows → ingress. Whoever runs it supplies
 * the settings, and the builder that it has. This file and `main.ts` are the only places where our layers meet.
 */
import { createServer } from "node:http"
import { join } from "node:path"
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as RequestLimit from "./api/RequestLimit.ts"
import * as UsageRoutes from "./api/UsageRoutes.ts"
import * as AgentRoutes from "./api/AgentRoutes.ts"
import * as PlainPulls from "./api/PlainPulls.ts"
import * as Directory from "./api/Directory.ts"
import * as MetricsRoute from "./api/operator/MetricsRoute.ts"
import * as ProbeRoutes from "./api/ProbeRoutes.ts"
import * as Readiness from "./api/Readiness.ts"
import * as ServiceCatalog from "./api/ServiceCatalog.ts"
import * as BuildLog from "./builds/BuildLog.ts"
import * as BuildLogIndexPostgres from "./builds/BuildLogIndexPostgres.ts"
import * as BuildQueue from "./builds/BuildQueue.ts"
import type { BuildService } from "./builds/BuildService.ts"
import * as ClusterRunner from "./ClusterRunner.ts"
import * as Database from "./Database.ts"
import * as Entities from "./Entities.ts"
import * as EntityActivity from "./entities/EntityActivity.ts"
import * as EntityClients from "./entities/EntityClients.ts"
import * as BranchMover from "./git/BranchMover.ts"
import * as BranchSettlement from "./git/BranchSettlement.ts"
import * as BundleIndex from "./git/BundleIndex.ts"
import * as DeployFollower from "./git/DeployFollower.ts"
import * as GitConfig from "./git/GitConfig.ts"
import * as GitHooks from "./git/GitHooks.ts"
import * as GitHttp from "./git/GitHttp.ts"
import * as GitRepositories from "./git/GitRepositories.ts"
import * as PushSession from "./git/PushSession.ts"
import * as RepositoryBundles from "./git/RepositoryBundles.ts"
import * as JournalPostgres from "./journal/JournalPostgres.ts"
import * as JournalSchema from "./journal/JournalSchema.ts"
import * as JournalMetrics from "./metrics/JournalMetrics.ts"
import * as EffectPerformer from "./outbox/EffectPerformer.ts"
import * as OutboxRelay from "./outbox/OutboxRelay.ts"
import * as PublicApi from "./PublicApi.ts"
import * as Retention from "./retention/Retention.ts"
import * as RunnerSafety from "./RunnerSafety.ts"
import * as Authenticator from "./security/Authenticator.ts"
import * as KnownOwners from "./security/KnownOwners.ts"
import * as Vault from "./security/Vault.ts"
import { StarbaseConfig } from "./StarbaseConfig.ts"
import * as UsageStorePostgres from "./usage/UsageStorePostgres.ts"
import type { BlobStore } from "./storage/BlobStore.ts"
import * as BlobStoreFolder from "./storage/BlobStoreFolder.ts"
import * as StarbaseTracing from "./StarbaseTracing.ts"
import * as BuildOwner from "./workflows/BuildOwner.ts"
import * as BuildRelease from "./workflows/BuildRelease.ts"
import * as DeployRelease from "./workflows/DeployRelease.ts"
import * as DeployRunner from "./workflows/DeployRunner.ts"
import * as DeployWatch from "./workflows/DeployWatch.ts"

const database = Layer.unwrap(
  Effect.map(StarbaseConfig, ({ databaseUrl, databaseConnectionsMax }) =>
    Database.layer({ url: databaseUrl, connectionsMax: databaseConnectionsMax })
  )
)

const buildLogTable = Layer.effectDiscard(BuildLogIndexPostgres.buildLogSchema)

const journal = JournalMetrics.layer.pipe(
  Layer.provideMerge(JournalPostgres.layer),
  Layer.provideMerge(JournalSchema.layer)
)

const vault = Layer.unwrap(Effect.map(StarbaseConfig, ({ masterKey }) => Vault.layerPostgres(masterKey)))

const blobFolder = Layer.unwrap(
  Effect.map(StarbaseConfig, ({ dataDirectory }) =>
    BlobStoreFolder.layer({ directory: join(dataDirectory, "blobs") })
  )
)

const builds = Layer.mergeAll(BuildLog.layer(), BuildQueue.layer()).pipe(
  Layer.provideMerge(BuildLogIndexPostgres.layer().pipe(Layer.provide(buildLogTable)))
)

const people = ServiceCatalog.layerNoDeps.pipe(
  Layer.provideMerge(Layer.mergeAll(Directory.layerNoDeps, Authenticator.layerNoDeps, vault)),
  Layer.provideMerge(Layer.merge(KnownOwners.layerNoDeps, UsageStorePostgres.layer()))
)

const git = Layer.mergeAll(GitHooks.layerNoDeps, BranchMover.layerNoDeps).pipe(
  Layer.provideMerge(PushSession.layerNoDeps),
  Layer.provideMerge(Layer.mergeAll(BranchSettlement.layerNoDeps, DeployFollower.layerNoDeps)),
  Layer.provideMerge(GitRepositories.layerNoDeps),
  Layer.provideMerge(RepositoryBundles.layerNoDeps),
  Layer.provideMerge(BundleIndex.layerPostgres),
  Layer.provideMerge(GitConfig.layer)
)

/** Workflows of the shard group `default`, and what must run once in the cluster. */
const deploys = Layer.mergeAll(OutboxRelay.layerNoDeps, DeployWatch.layerNoDeps, Retention.layerNoDeps).pipe(
  Layer.provide(EffectPerformer.layerNoDeps),
  Layer.provideMerge(DeployRunner.layerNoDeps),
  Layer.provideMerge(DeployRelease.layerNoDeps)
)

/** Workflows of the shard group `builds`. */
const building = Layer.mergeAll(BuildRelease.layerNoDeps, BuildOwner.layerNoDeps)

/** Milliseconds that a whole request may take to arrive: a large push comes over a slow line. */
const requestTimeout = 3_600_000

/** How long requests in flight may take when the process ends. Pulls and pushes that wait are cut: both are made to be. */
const requestsEnd = Duration.seconds(1)

/** Connections that wait to be taken, as far as the system allows: one beyond it tries again after 1, 3, 7, 15 seconds. */
const backlog = 16_384

const server = Layer.unwrap(
  Effect.map(StarbaseConfig, ({ host, port }) =>
    NodeHttpServer.layer(() => createServer({ requestTimeout }), {
      host,
      port,
      backlog,
      gracefulShutdownTimeout: requestsEnd
    })
  )
)

/** What every role answers; there before anything else of the port is. */
const operations = Layer.mergeAll(
  ProbeRoutes.layerRoutes,
  RequestLimit.layerRoutes,
  MetricsRoute.layerRoutes(ClusterRunner.shardGroups)
).pipe(Layer.provide(Readiness.layerNoDeps))

const ingress = HttpRouter.serve(
  Layer.mergeAll(
    PlainPulls.layerRoutes,
    operations,
    AgentRoutes.layerRoutes,
    UsageRoutes.layerRoutes,
    GitHttp.layerRoutes,
    PublicApi.layerRoutes
  ),
  { disableLogger: true }
).pipe(Layer.provideMerge(server))

/** What every role stands on: stores, and what builds share. */
const foundation = <E, R>(storage: Layer.Layer<BlobStore, E, R>) =>
  builds.pipe(
    Layer.provideMerge(storage),
    Layer.provideMerge(journal),
    Layer.provideMerge(database),
    Layer.provideMerge(Layer.mergeAll(NodeCrypto.layer, NodeServices.layer, StarbaseTracing.layer))
  )

/** Entities on this runner, and who may ask them what. */
const actors = people.pipe(
  Layer.provideMerge(Entities.layerNoDeps),
  Layer.provideMerge(EntityActivity.layer),
  Layer.provideMerge(ClusterRunner.layer)
)

const doors = GitHooks.layerDismissal.pipe(Layer.provideMerge(ingress), Layer.provideMerge(git))

/**
 * All roles in one process.
 *
 * @param builder the builder of this machine, over the blob store, the build log and the queue
 * @param storage where blobs are
 */
export const layerWithStorage = <E, R, E2, R2>(
  builder: Layer.Layer<BuildService, E, R>,
  storage: Layer.Layer<BlobStore, E2, R2>
) =>
  doors.pipe(
    Layer.provideMerge(Layer.merge(deploys, building).pipe(Layer.provide(ClusterWorkflowEngine.layer))),
    Layer.provideMerge(actors),
    Layer.provideMerge(builder),
    Layer.provideMerge(foundation(storage))
  )

/** All roles, with blobs in the data folder of this host. */
export const layer = <E, R>(builder: Layer.Layer<BuildService, E, R>) => layerWithStorage(builder, blobFolder)

/** Entities, their workflows, git and the API; builds are other processes'. */
export const layerApi = doors.pipe(
  Layer.provideMerge(deploys.pipe(Layer.provide(ClusterWorkflowEngine.layer))),
  Layer.provideMerge(actors),
  Layer.provideMerge(foundation(blobFolder))
)

/** Builds; entities are asked where they are. */
export const layerWorker = <E, R>(builder: Layer.Layer<BuildService, E, R>) =>
  HttpRouter.serve(operations, { disableLogger: true }).pipe(
    Layer.provideMerge(server),
    Layer.provideMerge(building.pipe(Layer.provide(ClusterWorkflowEngine.layer))),
    Layer.provideMerge(EntityClients.layerNoDeps),
    Layer.provideMerge(ClusterRunner.layer),
    Layer.provideMerge(builder),
    Layer.provideMerge(foundation(blobFolder))
  )

/**
 * A process of the role that its settings name.
 *
 * @errors UnsafeRunner before anything is opened
 */
export const layerOfRole = <E, R>(builder: Layer.Layer<BuildService, E, R>) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* StarbaseConfig
      yield* RunnerSafety.check(settings)
      switch (settings.role) {
        case "api":
          return Layer.effectDiscard(Layer.build(layerApi))
        case "worker":
          return Layer.effectDiscard(Layer.build(layerWorker(builder)))
        case "all":
          return Layer.effectDiscard(Layer.build(layer(builder)))
      }
    })
  )
