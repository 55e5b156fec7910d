/** The roles of Starbase as processes of their own over one database: an API that builds nothing, and a worker. */
import { assert, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Layer, Schedule } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import * as Starbase from "@starform/starbase/Starbase"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import * as ApiWorld from "./harness/ApiWorld.ts"
import { freePort } from "./harness/FreePort.ts"
import * as ObedientAgent from "./harness/ObedientAgent.ts"
import * as ScriptedBuilder from "./harness/ScriptedBuilder.ts"
import * as StarbaseProcess from "./harness/StarbaseProcess.ts"

/** Waits until the process at this port says that it is ready. */
const ready = (port: number) =>
  HttpClient.get(`http://127.0.0.1:${port}/readyz`).pipe(
    Effect.match({ onSuccess: ({ status }) => status === 200, onFailure: () => false }),
    Effect.repeat({ until: (isReady) => isReady, schedule: Schedule.spaced("100 millis") }),
    Effect.timeout("20 seconds")
  )

/** A worker on the API's database and data, until the scope closes; says when its builder begins and ends the endless build. */
const worker = Effect.gen(function* () {
  const api = yield* StarbaseConfig.StarbaseConfig
  const [port, runnerPort] = [yield* freePort, yield* freePort]
  const began = Deferred.makeUnsafe<void>()
  const ended = Deferred.makeUnsafe<void>()
  const script: ScriptedBuilder.Script = (spec, print) =>
    spec.gitSha === ApiWorld.commitOf(ApiWorld.endless)
      ? Effect.andThen(Deferred.succeed(began, undefined), ApiWorld.script(spec, print)).pipe(
          Effect.ensuring(Deferred.succeed(ended, undefined))
        )
      : ApiWorld.script(spec, print)
  yield* Layer.build(
    Layer.fresh(Starbase.layerWorker(ScriptedBuilder.layer(script))).pipe(
      Layer.provide(StarbaseConfig.layerTest({ ...api, role: "worker", port, runnerPort }))
    )
  )
  yield* ready(port)
  return { began, ended }
})

const layerApi = Starbase.layerApi.pipe(
  Layer.provideMerge(
    Layer.unwrap(
      Effect.map(StarbaseProcess.place, (settings) => StarbaseConfig.layerTest({ ...settings, role: "api" }))
    )
  )
)

it.layer(Layer.merge(layerApi, FetchHttpClient.layer), {
  timeout: Duration.seconds(60),
  excludeTestServices: true
})("roles", (it) => {
  it.effect("builds and cancels on the worker what the API decides, and needs no worker to restart", () =>
    Effect.gen(function* () {
      const { publicUrl: url } = yield* StarbaseConfig.StarbaseConfig
      yield* ApiWorld.setUp
      const { app, clusterId, agentToken: token, deployOf, endless, requestId } = ApiWorld
      yield* Effect.forkScoped(ObedientAgent.run({ url, clusterId, token }))
      const client = yield* ApiWorld.clientOf(ApiWorld.workspaceToken)

      // Accepted before anybody can build it.
      yield* ApiWorld.push(1)
      yield* Effect.gen(function* () {
        const { began, ended } = yield* worker
        assert.strictEqual((yield* ApiWorld.ended(client, deployOf(1))).phase, "deployed")

        yield* ApiWorld.push(endless)
        yield* Deferred.await(began)
        yield* client.CancelDeploy({ requestId: requestId(), app, deployId: deployOf(endless) })
        assert.strictEqual((yield* ApiWorld.ended(client, deployOf(endless))).phase, "cancelled")
        yield* Deferred.await(ended)
      }).pipe(Effect.scoped)

      const restart = yield* client.Restart({ requestId: requestId(), app })
      assert.strictEqual((yield* ApiWorld.ended(client, restart.id)).phase, "deployed")
    }).pipe(Effect.scoped)
  )
})
