/** Runners over a real Postgres: with entities alone, or with everything that makes a push go live but git and HTTP. */
import { tmpdir } from "node:os"
import { NodeCrypto } from "@effect/platform-node"
import { Context, Duration, Layer, type Redacted, References } from "effect"
import { ClusterWorkflowEngine, EntityId } from "effect/cluster"
import { Sharding } from "effect/cluster/Sharding"
import * as BuildLog from "@starform/starbase/builds/BuildLog"
import * as BuildLogIndexMemory from "@starform/starbase/builds/BuildLogIndexMemory"
import * as ClusterRunner from "@starform/starbase/ClusterRunner"
import * as Database from "@starform/starbase/Database"
import * as Entities from "@starform/starbase/Entities"
import * as JournalPostgres from "@starform/starbase/journal/JournalPostgres"
import * as JournalSchema from "@starform/starbase/journal/JournalSchema"
import * as EffectPerformer from "@starform/starbase/outbox/EffectPerformer"
import * as OutboxRelay from "@starform/starbase/outbox/OutboxRelay"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import * as BlobStoreMemory from "@starform/starbase/storage/BlobStoreMemory"
import * as BuildOwner from "@starform/starbase/workflows/BuildOwner"
import * as BuildRelease from "@starform/starbase/workflows/BuildRelease"
import * as DeployRelease from "@starform/starbase/workflows/DeployRelease"
import * as DeployRunner from "@starform/starbase/workflows/DeployRunner"
import * as DeployWatch from "@starform/starbase/workflows/DeployWatch"
import * as ScriptedBuilder from "../harness/ScriptedBuilder.ts"

export interface Place {
  readonly databaseUrl: Redacted.Redacted<string>
  readonly runnerPort: number
  readonly masterKey: Redacted.Redacted<string>
}

/** Deadlines of the deploys of these worlds: far above what a fault may last. */
export const deployDeadline = Duration.minutes(5)

/** How long a runner that is gone keeps its shards. */
export const lockExpiry = Duration.seconds(5)

/** That a runner does its work with, beside those that it holds its shards with. */
export const connectionsMax = 8

const config = (place: Place) =>
  StarbaseConfig.layerTest({
    ...place,
    dataDirectory: tmpdir(),
    socketDirectory: tmpdir(),
    buildDeadline: deployDeadline,
    rolloutDeadline: deployDeadline,
    runnerLockExpiry: lockExpiry
  })

const foundation = (place: Place) =>
  Entities.layerNoDeps.pipe(
    Layer.provideMerge(ClusterRunner.layer),
    Layer.provideMerge(JournalPostgres.layer.pipe(Layer.provideMerge(JournalSchema.layer))),
    Layer.provideMerge(Database.layer({ url: place.databaseUrl, connectionsMax })),
    Layer.provideMerge(NodeCrypto.layer),
    Layer.provideMerge(config(place))
  )

/** Entities alone. */
export const layer = (place: Place) =>
  foundation(place).pipe(Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "Error")))

/** Entities, outbox and workflows over a builder of the test. */
export const layerWithDeploys = (place: Place, script: ScriptedBuilder.Script) =>
  Layer.mergeAll(OutboxRelay.layerNoDeps, DeployWatch.layerNoDeps).pipe(
    Layer.provide(EffectPerformer.layerNoDeps),
    Layer.provide(DeployRunner.layerNoDeps),
    Layer.provideMerge(
      Layer.mergeAll(DeployRelease.layerNoDeps, BuildRelease.layerNoDeps, BuildOwner.layerNoDeps)
    ),
    Layer.provideMerge(ClusterWorkflowEngine.layer),
    Layer.provideMerge(ScriptedBuilder.layer(script)),
    Layer.provideMerge(BuildLog.layer()),
    Layer.provideMerge(Layer.merge(BuildLogIndexMemory.layer, BlobStoreMemory.layer)),
    Layer.provideMerge(foundation(place))
  )

/** What a runner in this process offers. */
export type Services = Context.Context<Layer.Success<ReturnType<typeof layer>>>

/** Until the scope closes; nothing of it is shared with another runner of this process. */
export const inProcess = (place: Place) => Layer.build(Layer.fresh(layer(place)))

/** Whether this runner owns the shard of an entity of the group `default`. */
export const owns = (services: Services, id: string): boolean => {
  const sharding = Context.get(services, Sharding)
  return sharding.hasShardId(sharding.getShardId(EntityId.make(id), "default"))
}
