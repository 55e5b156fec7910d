import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Option } from "effect"
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

const overrides = { entityRequestsMax: requestsMax }

it.layer(Layer.merge(StarbaseProcess.layer(ApiWorld.script, overrides), FetchHttpClient.layer), {
  timeout: Duration.seconds(60),
  excludeTestServices: true
})("an entity with as many requests as it takes", (it) => {
  it.effect("answers one more with Overloaded and when to come back, and serves again when it has room", () =>
    Effect.gen(function* () {
      yield* ApiWorld.setUp
      const entities = yield* EntityClients
      const parked = yield* pull(20)
      const brief = yield* pull(0)
      const waiting = yield* Effect.forEach(Array.from({ length: requestsMax }), () =>
        Effect.forkChild(HttpClient.execute(parked))
      )
      const refused = yield* HttpClient.execute(brief).pipe(
        Effect.repeat({ until: ({ status }) => status !== 304 }),
        Effect.timeout("15 seconds")
      )
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers["retry-after"], "1")
      assert.deepInclude(yield* refused.json, { error: "Overloaded" })
      const asked = yield* Effect.flip(
        entities.cluster(ApiWorld.clusterId, (cluster) => cluster.GetCluster())
      )
      assert.strictEqual(asked._tag, "Overloaded")

      yield* Fiber.interruptAll(waiting)
      const served = yield* HttpClient.execute(brief).pipe(
        Effect.repeat({ until: ({ status }) => status === 304 }),
        Effect.timeoutOption("15 seconds")
      )
      assert.isTrue(Option.isSome(served))
    }).pipe(Effect.scoped)
  )
})
