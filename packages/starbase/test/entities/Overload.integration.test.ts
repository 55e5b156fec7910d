import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Option, Result, Schedule } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import * as ApiWorld from "../harness/ApiWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

const requestsMax = 16

const pull = (waitSeconds: number) =>
  Effect.gen(function* () {
    const { publicUrl } = yield* StarbaseConfig
    const entities = yield* EntityClients
    const { revision } = yield* entities.cluster(ApiWorld.clusterId, (cluster) => cluster.GetCluster())
    return HttpClientRequest.get(`${publicUrl}/api/v1/clusters/${ApiWorld.clusterId}/desired-state`).pipe(
      HttpClientRequest.bearerToken(ApiWorld.agentToken),
      HttpClientRequest.setHeaders({ prefer: `wait=${waitSeconds}`, "if-none-match": `"${revision}"` })
    )
  })

const overrides = { entityRequestsMax: requestsMax, requestsMax: 3 * requestsMax }

it.layer(Layer.merge(StarbaseProcess.layer(ApiWorld.script, overrides), FetchHttpClient.layer), {
  timeout: Duration.seconds(60),
  excludeTestServices: true
})("Overload", (it) => {
  it.effect(
    "an entity answers one more with Overloaded and when to come back, and serves again when it has room",
    () =>
      Effect.gen(function* () {
        yield* ApiWorld.setUp
        const entities = yield* EntityClients
        const parked = yield* pull(20)
        const brief = yield* pull(1)
        const waiting = yield* Effect.forEach(Array.from({ length: requestsMax }), () =>
          Effect.forkChild(Effect.forever(HttpClient.execute(parked)))
        )
        const refused = yield* HttpClient.execute(brief).pipe(
          Effect.repeat({ until: ({ status }) => status !== 304, schedule: Schedule.spaced("20 millis") }),
          Effect.timeout("15 seconds")
        )
        assert.strictEqual(refused.status, 429)
        assert.strictEqual(refused.headers["retry-after"], "1")
        assert.deepInclude(yield* refused.json, { error: "Overloaded" })
        const asked = yield* entities
          .cluster(ApiWorld.clusterId, (cluster) => cluster.GetCluster())
          .pipe(
            Effect.result,
            Effect.repeat({ until: Result.isFailure, schedule: Schedule.spaced("20 millis") }),
            Effect.timeout("15 seconds")
          )
        assert.strictEqual(Result.isFailure(asked) && asked.failure._tag, "Overloaded")

        yield* Fiber.interruptAll(waiting)
        const served = yield* HttpClient.execute(brief).pipe(
          Effect.repeat({ until: ({ status }) => status === 304, schedule: Schedule.spaced("20 millis") }),
          Effect.timeoutOption("15 seconds")
        )
        assert.isTrue(Option.isSome(served))
      }).pipe(Effect.scoped)
  )

  it.effect("a process with as many requests as it takes turns away all but questions for its health", () =>
    Effect.gen(function* () {
      const { publicUrl } = yield* StarbaseConfig
      const parked = yield* pull(20)
      yield* Effect.forEach(Array.from({ length: requestsMax - 1 }), () =>
        Effect.forkChild(Effect.forever(HttpClient.execute(parked)))
      )
      const client = yield* ApiWorld.clientOf(ApiWorld.workspaceToken)
      const deploy = yield* Effect.andThen(
        ApiWorld.push(ApiWorld.endless),
        client.ListDeploys({ app: ApiWorld.app })
      )
      const asks = { app: ApiWorld.app, deployId: deploy[0]!.id, phasesSeen: 1000 }
      yield* Effect.forEach(Array.from({ length: 3 * requestsMax }), () =>
        Effect.forkChild(Effect.forever(Effect.ignore(client.AwaitDeploy(asks))))
      )
      const refused = yield* HttpClient.get(`${publicUrl}/api/v1/clusters/anything/desired-state`).pipe(
        Effect.repeat({ until: ({ status }) => status === 429, schedule: Schedule.spaced("20 millis") }),
        Effect.timeout("15 seconds")
      )
      assert.deepInclude(yield* refused.json, { error: "Overloaded" })
      assert.strictEqual((yield* HttpClient.get(`${publicUrl}/healthz`)).status, 200)
      assert.strictEqual((yield* HttpClient.get(`${publicUrl}/readyz`)).status, 200)
    }).pipe(Effect.scoped)
  )
})
