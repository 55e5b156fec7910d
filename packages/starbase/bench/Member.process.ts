/**
 * One of several runners of one database. Arguments: the database's URL, the master key that they share, and `runner` or
 * `door`: a door owns no entity, and asks those of the others at a fixed rate.
 */
import { tmpdir } from "node:os"
import { NodeCrypto } from "@effect/platform-node"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, ManagedRuntime, References } from "effect"
import { EntityId } from "effect/cluster"
import { Sharding } from "effect/cluster/Sharding"
import * as ClusterRunner from "@starform/starbase/ClusterRunner"
import * as Entities from "@starform/starbase/Entities"
import * as EntityClients from "@starform/starbase/entities/EntityClients"
import * as JournalPostgres from "@starform/starbase/journal/JournalPostgres"
import * as JournalSchema from "@starform/starbase/journal/JournalSchema"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import { serve } from "../../../bench/program.ts"
import * as Specimens from "../test/entities/Specimens.ts"
import { identityOf, startLoad } from "./steadyAsks.ts"
import { placeOf } from "./place.ts"

const [, , databaseUrl = "", masterKey = "", kind = "runner"] = process.argv

const place = await Effect.runPromise(placeOf(databaseUrl, masterKey))

/** A worker has shards of builds alone, and nobody builds here. */
const settings = StarbaseConfig.layerTest({
  ...place,
  role: kind === "door" ? "worker" : "all",
  dataDirectory: tmpdir(),
  socketDirectory: tmpdir()
})

const runtime = ManagedRuntime.make(
  (kind === "door" ? EntityClients.layerNoDeps : Entities.layerNoDeps).pipe(
    Layer.provideMerge(ClusterRunner.layer),
    Layer.provideMerge(JournalPostgres.layer.pipe(Layer.provideMerge(JournalSchema.layer))),
    Layer.provideMerge(PgClient.layer({ url: place.databaseUrl, maxConnections: 8 })),
    Layer.provideMerge(NodeCrypto.layer),
    Layer.provideMerge(settings),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
  )
)

/** Which of the apps `0` to `count` are this runner's own. */
const owned = (count: number) =>
  Effect.map(Sharding, (sharding) =>
    Array.from({ length: count }, (_, n) => n).filter((n) =>
      sharding.hasShardId(sharding.getShardId(EntityId.make(identityOf(n).appId), "default"))
    )
  )

const create = (count: number) =>
  Effect.gen(function* () {
    const clients = yield* EntityClients.EntityClients
    yield* Effect.forEach(
      Array.from({ length: count }, (_, n) => identityOf(n)),
      (identity) =>
        clients.app(identity.appId, (app) => app.CreateApp({ ...Specimens.request("create"), identity })),
      { concurrency: 16, discard: true }
    )
  })

let load: ReturnType<typeof startLoad> | undefined

await runtime.context()
serve(
  {
    owned: (count: number) => runtime.runPromise(owned(count)),
    create: (count: number) => runtime.runPromise(create(count)),
    load: (asked: { readonly entities: number; readonly perSecond: number }) => {
      load = startLoad((effect) => runtime.runPromise(effect), asked)
    },
    watch: (asked: { readonly entities: ReadonlyArray<number>; readonly sinceMs: number }) =>
      load?.watch(asked),
    watched: () => load?.watched(),
    tally: () => load?.tally(),
    end: () => load?.end()
  },
  () => runtime.dispose()
)
process.once("SIGTERM", () => {
  void runtime.dispose().finally(() => process.exit(0))
})
