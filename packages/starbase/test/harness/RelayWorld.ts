/**
 * The part of Starbase that performs effects: entities, workflows and the relay, on a runner of its own over a real
 * Postgres. `watch` stands between the relay and what it performs.
 */
import { createHash } from "node:crypto"
import { tmpdir } from "node:os"
import * as PgClient from "@effect/sql-pg/PgClient"
import { NodeCrypto } from "@effect/platform-node"
import { Duration, Effect, Layer, Redacted, References } from "effect"
import { ClusterWorkflowEngine } from "effect/cluster"
import * as BuildLog from "@starform/starbase/builds/BuildLog"
import * as BuildLogIndexMemory from "@starform/starbase/builds/BuildLogIndexMemory"
import * as ClusterRunner from "@starform/starbase/ClusterRunner"
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
import { freePort } from "./FreePort.ts"
import * as ScriptedBuilder from "./ScriptedBuilder.ts"

type Performer = OutboxRelay.OutboxPerformer["Service"]

/** Runners over one database share a key, and with those of any other world they do not. */
const masterKeyOf = (databaseUrl: Redacted.Redacted<string>) =>
  Redacted.make(createHash("sha256").update(Redacted.value(databaseUrl)).digest("base64"))

const config = (databaseUrl: Redacted.Redacted<string>) =>
  Layer.unwrap(
    Effect.map(Effect.all([freePort, freePort]), ([port, runnerPort]) =>
      StarbaseConfig.layerTest({
        databaseUrl,
        masterKey: masterKeyOf(databaseUrl),
        port,
        runnerPort,
        dataDirectory: tmpdir(),
        socketDirectory: tmpdir(),
        buildDeadline: Duration.minutes(5),
        rolloutDeadline: Duration.minutes(5)
      })
    )
  )

const watched = (watch: (performer: Performer) => Performer) =>
  Layer.effect(OutboxRelay.OutboxPerformer, Effect.map(OutboxRelay.OutboxPerformer, watch)).pipe(
    Layer.provide(EffectPerformer.layerNoDeps)
  )

export const layer = (
  databaseUrl: Redacted.Redacted<string>,
  script: ScriptedBuilder.Script,
  watch: (performer: Performer) => Performer = (performer) => performer
) =>
  OutboxRelay.layerNoDeps.pipe(
    Layer.provide(watched(watch)),
    Layer.provide(DeployRunner.layerNoDeps),
    Layer.provideMerge(
      Layer.mergeAll(DeployRelease.layerNoDeps, BuildRelease.layerNoDeps, BuildOwner.layerNoDeps)
    ),
    Layer.provideMerge(ClusterWorkflowEngine.layer),
    Layer.provideMerge(Entities.layerNoDeps),
    Layer.provideMerge(ClusterRunner.layer),
    Layer.provideMerge(ScriptedBuilder.layer(script)),
    Layer.provideMerge(BuildLog.layer()),
    Layer.provideMerge(Layer.merge(BuildLogIndexMemory.layer, BlobStoreMemory.layer)),
    Layer.provideMerge(JournalPostgres.layer.pipe(Layer.provideMerge(JournalSchema.layer))),
    Layer.provideMerge(PgClient.layer({ url: databaseUrl, maxConnections: 8 })),
    Layer.provideMerge(NodeCrypto.layer),
    Layer.provideMerge(config(databaseUrl)),
    // A runner that leaves a busy machine says so for every one of its shards.
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "Error"))
  )

/** What a test may ask of it. */
export type Services = Layer.Success<ReturnType<typeof layer>>
