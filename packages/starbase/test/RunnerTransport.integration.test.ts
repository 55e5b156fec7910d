import { randomBytes } from "node:crypto"
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Redacted, Schedule } from "effect"
import { MessageStorage, RunnerAddress, Runners, ShardingConfig } from "effect/cluster"
import { RpcSerialization } from "effect/rpc"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import * as RunnerTransport from "@starform/starbase/RunnerTransport"
import * as RunnerWorld from "./cluster/RunnerWorld.ts"
import * as Specimens from "./entities/Specimens.ts"
import { freePort } from "./harness/FreePort.ts"
import { freshDatabase } from "./Postgres.ts"

const key = () => Redacted.make(randomBytes(32).toString("base64"))
const masterKey = key()

/** A runner with all entities, until the scope closes. */
const runner = (databaseUrl: Redacted.Redacted<string>) =>
  Effect.gen(function* () {
    const runnerPort = yield* freePort
    return { runnerPort, services: yield* RunnerWorld.inProcess({ databaseUrl, runnerPort, masterKey }) }
  })

class World extends Context.Service<
  World,
  Readonly<Record<"one" | "other", Effect.Success<ReturnType<typeof runner>>>>
>()("World") {}

const world = Layer.effect(
  World,
  Effect.gen(function* () {
    const databaseUrl = yield* freshDatabase
    const one = yield* runner(databaseUrl)
    return { one, other: yield* runner(databaseUrl) }
  })
)

const pinged = (port: number, client: typeof NodeClusterSocket.layerClientProtocol) =>
  Runners.Runners.pipe(
    Effect.flatMap((runners) => runners.ping(RunnerAddress.make("127.0.0.1", port))),
    Effect.provide(
      Runners.layerRpc.pipe(
        Layer.provide([client, MessageStorage.layerNoop, ShardingConfig.layer()]),
        Layer.provide(RpcSerialization.layerSchemaBinary())
      )
    ),
    Effect.timeout("5 seconds"),
    Effect.exit
  )

it.layer(world, { timeout: 60_000, excludeTestServices: true })("Runners reach each other", (it) => {
  it.effect("when they hold the key, also to ask an entity that the other owns", () =>
    Effect.gen(function* () {
      const { one, other } = yield* World
      assert.isTrue(Exit.isSuccess(yield* pinged(other.runnerPort, RunnerTransport.layerClient(masterKey))))
      const clusterIds = Array.from({ length: 20 }, (_, index) => Specimens.clusterId(100 + index))
      const crossing = yield* Effect.sync(() =>
        clusterIds.filter((id) => RunnerWorld.owns(other.services, id))
      ).pipe(
        Effect.repeat({ until: (ids) => ids.length > 4, schedule: Schedule.spaced("50 millis") }),
        Effect.timeout("20 seconds")
      )
      for (const id of crossing) {
        const state = yield* Context.get(one.services, EntityClients)
          .cluster(id, (cluster) => cluster.GetClusterState())
          .pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 50 }))
        assert.deepStrictEqual(state.entries, {})
      }
    })
  )

  it.effect(
    "and nobody else reaches them: without the key, or with another one, a runner does not answer",
    () =>
      Effect.gen(function* () {
        const { one } = yield* World
        assert.isTrue(Exit.isFailure(yield* pinged(one.runnerPort, NodeClusterSocket.layerClientProtocol)))
        assert.isTrue(Exit.isFailure(yield* pinged(one.runnerPort, RunnerTransport.layerClient(key()))))
        assert.isTrue(Exit.isSuccess(yield* pinged(one.runnerPort, RunnerTransport.layerClient(masterKey))))
      })
  )
})
