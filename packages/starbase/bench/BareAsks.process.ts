/**
 * The same reads by the same callers of an entity as the documentation of `effect/cluster` writes one: no journal, no
 * clients of ours, the state a value in memory of the size of an App's. Argument: the database's URL.
 */
import { NodeCrypto } from "@effect/platform-node"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, ManagedRuntime, References, Schema } from "effect"
import { Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"
import * as ClusterRunner from "@starform/starbase/ClusterRunner"
import { AppIdentity } from "@starform/starbase/entities/app/AppEntity"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import { serve } from "../../../bench/program.ts"
import * as Specimens from "../test/entities/Specimens.ts"
import { runRound, type Round } from "./askLoops.ts"
import { placeOf } from "./place.ts"

const BareApp = Entity.make("BareApp", [
  Rpc.make("CreateApp", { payload: { identity: AppIdentity } }),
  Rpc.make("GetApp", { success: Schema.NullOr(AppIdentity) })
])

const entity = BareApp.toLayer(
  Effect.sync(() => {
    let state: AppIdentity | null = null
    return BareApp.of({
      CreateApp: ({ payload }) =>
        Effect.sync(() => {
          state = payload.identity
        }),
      GetApp: () => Effect.sync(() => state)
    })
  }),
  { maxIdleTime: "5 minutes" }
)

const place = await Effect.runPromise(placeOf(process.argv[2] ?? ""))
const runtime = ManagedRuntime.make(
  entity.pipe(
    Layer.provideMerge(ClusterRunner.layer),
    Layer.provide(PgClient.layer({ url: place.databaseUrl, maxConnections: 6 })),
    Layer.provide(NodeCrypto.layer),
    Layer.provide(StarbaseConfig.layerTest(place)),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "Error"))
  )
)

const setUp = ({ entities }: Round) =>
  Effect.gen(function* () {
    const client = yield* BareApp.client
    yield* Effect.forEach(
      Array.from({ length: entities }, (_, n) => Specimens.identity(n)),
      (identity) => client(identity.appId).CreateApp({ identity }),
      { concurrency: 16, discard: true }
    )
  })

// Callers with nothing in their context, here as there: its size is a cost of every ask.
const client = await runtime.runPromise(BareApp.client)

const round = (asked: Round) =>
  Effect.gen(function* () {
    const ids = Array.from({ length: asked.entities }, (_, n) => Specimens.appId(n))
    return yield* runRound(asked, (n) => client(ids[n]!).GetApp())
  })

serve(
  {
    setUp: (asked: Round) => runtime.runPromise(setUp(asked)),
    round: (asked: Round) => Effect.runPromise(round(asked))
  },
  () => runtime.dispose()
)
