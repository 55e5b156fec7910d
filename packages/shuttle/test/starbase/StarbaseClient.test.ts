import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { FullState } from "@starform/domain/desired/DesiredState"
import * as CredentialFile from "@starform/shuttle/credential/CredentialFile"
import * as AgentToken from "@starform/shuttle/starbase/AgentToken"
import * as StarbaseClient from "@starform/shuttle/starbase/StarbaseClient"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { Context, Duration, Effect, FileSystem, Layer, Option, Schema, type Scope } from "effect"
import { clusterId, desiredApp, fullState, revision } from "../fixtures/DesiredApps.ts"
import { json, scriptedServer, silence, status } from "../fixtures/ScriptedServer.ts"

const wait = Duration.seconds(30)

const encode = Schema.encodeSync(FullState)

const tokenFile = (text: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = `${yield* fs.makeTempDirectoryScoped({ prefix: "shuttle-token-" })}/token`
    yield* fs.writeFileString(file, `${text}\n`)
    return file
  })

const client = (url: string, file: string, overrides: Partial<ShuttleConfig.Settings> = {}) =>
  Layer.build(
    StarbaseClient.layer.pipe(
      Layer.provide([
        AgentToken.layer.pipe(Layer.provide([CredentialFile.layer, NodeHttpClient.layerUndici])),
        NodeHttpClient.layerUndici
      ]),
      Layer.provide(ShuttleConfig.layerTest({ starbaseUrl: url, clusterId, tokenFile: file, ...overrides })),
      Layer.provide(NodeServices.layer)
    )
  ).pipe(Effect.map((context) => Context.get(context, StarbaseClient.StarbaseClient)))

const setUp = (
  answers: Parameters<typeof scriptedServer>[0],
  overrides: Partial<ShuttleConfig.Settings> = {}
) =>
  Effect.gen(function* () {
    const server = yield* scriptedServer(answers)
    const file = yield* tokenFile("token-one")
    return { server, file, starbase: yield* client(server.url, file, overrides) }
  })

const live = <A, E>(effect: Effect.Effect<A, E, Scope.Scope | FileSystem.FileSystem>) =>
  Effect.scoped(effect).pipe(Effect.provide(NodeServices.layer))

describe("StarbaseClient.pull", () => {
  it.live("says what it holds, how long it waits and who it is, and reads the document", () =>
    live(
      Effect.gen(function* () {
        const document = fullState({ apps: [desiredApp()] })
        const { server, starbase } = yield* setUp([json(200, encode(document))])
        const answer = yield* starbase.pull({ known: revision(3), acceptDelta: false, wait })
        assert.deepStrictEqual(Option.getOrThrow(answer), { state: document, unreadable: [] })
        const [request] = server.received
        assert.strictEqual(request!.url, `/api/v1/clusters/${clusterId}/desired-state`)
        assert.strictEqual(request!.headers["if-none-match"], `"00000001-3"`)
        assert.strictEqual(request!.headers["prefer"], "wait=30")
        assert.strictEqual(request!.headers["accept-delta"], "no")
        assert.strictEqual(request!.headers["authorization"], "Bearer token-one")
      })
    )
  )

  it.live("answers nothing newer on 304, after the wait that Starbase took", () =>
    live(
      Effect.gen(function* () {
        const { starbase } = yield* setUp([status(304, 50)])
        const answer = yield* starbase.pull({ known: revision(1), acceptDelta: true, wait })
        assert.isTrue(Option.isNone(answer))
      })
    )
  )

  it.live("takes a connection for dead that is silent longer than the wait and its margin", () =>
    live(
      Effect.gen(function* () {
        const { starbase } = yield* setUp([silence], {
          pullMargin: Duration.millis(50)
        })
        const error = yield* Effect.flip(
          starbase.pull({ known: null, acceptDelta: true, wait: Duration.millis(50) })
        )
        assert.strictEqual(error._tag, "StarbaseUnreachable")
      })
    )
  )

  it.live("reads the token's file again on 401 and repeats with the new one", () =>
    live(
      Effect.gen(function* () {
        const { file, server, starbase } = yield* setUp([
          json(200, encode(fullState())),
          status(401),
          json(200, encode(fullState({ n: 2 })))
        ])
        yield* starbase.pull({ known: null, acceptDelta: true, wait })
        const fs = yield* FileSystem.FileSystem
        yield* fs.writeFileString(file, "token-two")
        const answer = yield* starbase.pull({ known: revision(1), acceptDelta: true, wait })
        assert.strictEqual(Option.getOrThrow(answer).state.revision, revision(2))
        assert.deepStrictEqual(
          server.received.map((request) => request.headers["authorization"]),
          ["Bearer token-one", "Bearer token-one", "Bearer token-two"]
        )
      })
    )
  )

  it.live("does not repeat a 401 with the same token", () =>
    live(
      Effect.gen(function* () {
        const { server, starbase } = yield* setUp([status(401)])
        const error = yield* Effect.flip(starbase.pull({ known: null, acceptDelta: true, wait }))
        assert.strictEqual(error._tag, "TokenRefused")
        assert.lengthOf(server.received, 1)
      })
    )
  )

  it.live("tells later, no, malformed and too new apart", () =>
    live(
      Effect.gen(function* () {
        const document = encode(fullState())
        const { starbase } = yield* setUp([
          status(503),
          status(429),
          status(404),
          json(200, { ...document, revision: "nonsense" }),
          json(200, { format: 2, something: "else" })
        ])
        const tags: Array<string> = []
        for (let request = 0; request < 5; request++) {
          tags.push((yield* Effect.flip(starbase.pull({ known: null, acceptDelta: true, wait })))._tag)
        }
        assert.deepStrictEqual(tags, [
          "StarbaseUnreachable",
          "StarbaseUnreachable",
          "StarbaseRefused",
          "DocumentMalformed",
          "FormatTooNew"
        ])
      })
    )
  )
})

describe("StarbaseClient.report", () => {
  it.live("sends the report in the contract's own names", () =>
    live(
      Effect.gen(function* () {
        const { server, starbase } = yield* setUp([status(204)])
        yield* starbase.report({ revision: revision(4), apps: [], complete: true, agentVersion: "test" })
        assert.deepStrictEqual(JSON.parse(server.received[0]!.body), {
          revision: "00000001-4",
          apps: [],
          complete: true,
          agent_version: "test"
        })
      })
    )
  )
})
