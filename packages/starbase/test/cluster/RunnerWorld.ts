/** A runner with all entities over a real Postgres, in this process or in one of its own. */
import { spawn } from "node:child_process"
import { join } from "node:path"
import { NodeCrypto } from "@effect/platform-node"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Context, Effect, Layer, Redacted, References, Schedule } from "effect"
import { EntityId } from "effect/cluster"
import { Sharding } from "effect/cluster/Sharding"
import * as ClusterRunner from "@starform/starbase/ClusterRunner"
import * as Entities from "@starform/starbase/Entities"
import * as JournalPostgres from "@starform/starbase/journal/JournalPostgres"
import * as JournalSchema from "@starform/starbase/journal/JournalSchema"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"

export interface Place {
  readonly databaseUrl: Redacted.Redacted<string>
  readonly runnerPort: number
  readonly masterKey: Redacted.Redacted<string>
}

export const layer = (place: Place) =>
  Entities.layerNoDeps.pipe(
    Layer.provideMerge(ClusterRunner.layer),
    Layer.provideMerge(JournalPostgres.layer.pipe(Layer.provideMerge(JournalSchema.layer))),
    Layer.provideMerge(PgClient.layer({ url: place.databaseUrl, maxConnections: 6 })),
    Layer.provideMerge(NodeCrypto.layer),
    Layer.provideMerge(StarbaseConfig.layerTest(place)),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "Error"))
  )

/** What a runner in this process offers. */
export type Services = Context.Context<Layer.Success<ReturnType<typeof layer>>>

/** Until the scope closes; nothing of it is shared with another runner of this process. */
export const inProcess = (place: Place) => Layer.build(Layer.fresh(layer(place)))

/** A process of its own; killed when the scope closes, stopped or not. */
export const asProcess = (place: Place) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        process.execPath,
        [
          join(import.meta.dirname, "Runner.process.ts"),
          Redacted.value(place.databaseUrl),
          String(place.runnerPort),
          Redacted.value(place.masterKey)
        ],
        { stdio: ["ignore", "ignore", "inherit"] }
      )
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Whether this runner owns the shard of an entity of the group `default`. */
export const owns = (services: Services, id: string): boolean => {
  const sharding = Context.get(services, Sharding)
  return sharding.hasShardId(sharding.getShardId(EntityId.make(id), "default"))
}

/** Waits until it is so; `timeout` is generous, because the machine may be busy. */
export const until = (isSo: () => boolean) =>
  Effect.sync(isSo).pipe(
    Effect.repeat({ until: (so) => so, schedule: Schedule.spaced("50 millis") }),
    Effect.timeout("40 seconds"),
    Effect.orDie
  )
