import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { requestBytesMax } from "@starform/domain/protocol/RpcTransport"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import {
  agentToken,
  app,
  appIdOf,
  clusterId,
  script,
  setUp,
  workspaceId,
  workspaceToken
} from "../harness/ApiWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

const post = Effect.fnUntraced(function* (
  body: string,
  token: string | null = Redacted.value(workspaceToken)
) {
  const { publicUrl } = yield* StarbaseConfig
  const request = HttpClientRequest.post(`${publicUrl}/rpc`).pipe(
    HttpClientRequest.bodyText(body, "application/ndjson"),
    token === null ? (same) => same : HttpClientRequest.bearerToken(token)
  )
  const response = yield* HttpClient.execute(request)
  return { status: response.status, text: yield* response.text }
})

const look = Effect.fnUntraced(function* (path: string, token: Redacted.Redacted<string> | null) {
  const { publicUrl } = yield* StarbaseConfig
  const request = HttpClientRequest.get(`${publicUrl}/operator/entities/${path}`).pipe(
    token === null ? (same) => same : HttpClientRequest.bearerToken(token)
  )
  const response = yield* HttpClient.execute(request)
  return { status: response.status, body: yield* response.json }
})

const frame = (fields: Readonly<Record<string, unknown>>) =>
  `${JSON.stringify({ _tag: "Request", id: "1", tag: "ListWorkspaces", payload: null, headers: [], ...fields })}\n`

const Page = Schema.Struct({
  events: Schema.Array(
    Schema.Struct({ sequence: Schema.Int, event: Schema.Struct({ _tag: Schema.String }) })
  ),
  next: Schema.NullOr(Schema.Int)
})
const decodePage = Schema.decodeUnknownEffect(Page)

const layer = StarbaseProcess.layer(script).pipe(Layer.provideMerge(FetchHttpClient.layer))

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("ApiDoors", (it) => {
  it.effect("/rpc refuses what is no frame, and says what is wrong with it", () =>
    Effect.gen(function* () {
      yield* setUp
      const malformed = [
        "",
        "\n",
        "not json\n",
        "{}\n",
        "[]\n",
        frame({}).trimEnd(),
        frame({}) + frame({ id: "2" }),
        frame({ tag: "DropEverything" }),
        frame({ id: "x".repeat(101) }),
        frame({ headers: "none" }),
        frame({ _tag: "Interrupt" })
      ]
      for (const body of malformed) {
        const { status, text } = yield* post(body)
        assert.strictEqual(status, 422, body)
        assert.strictEqual(JSON.parse(text).error, "InvalidInput")
      }
    })
  )

  it.effect("/rpc answers a payload of the wrong shape as an error of that request", () =>
    Effect.gen(function* () {
      const bad = { app: { ...app, service: "NOT A SLUG" } }
      const { status, text } = yield* post(frame({ id: "7", tag: "GetAppStatus", payload: bad }))
      assert.strictEqual(status, 200)
      const answer = JSON.parse(text)
      assert.strictEqual(answer.requestId, "7")
      assert.strictEqual(answer.exit.cause[0].error._tag, "InvalidInput")
    })
  )

  it.effect("/rpc refuses a body over the limit, announced or not, and answers on", () =>
    Effect.gen(function* () {
      const { status } = yield* post("x".repeat(requestBytesMax + 1))
      assert.strictEqual(status, 413)
      const { text } = yield* post(frame({}))
      assert.strictEqual(JSON.parse(text).exit._tag, "Success")
    })
  )

  it.effect("/rpc names no principal in a payload that it believes", () =>
    Effect.gen(function* () {
      const payload = { workspace: "globex", principal: { _tag: "Operator" } }
      const answer = yield* post(frame({ tag: "ListProjects", payload }))
      assert.strictEqual(JSON.parse(answer.text).exit.cause[0].error._tag, "NotFound")
      const anonymous = yield* post(frame({ tag: "ListProjects", payload }), null)
      assert.strictEqual(JSON.parse(anonymous.text).exit.cause[0].error._tag, "Unauthenticated")
    })
  )

  it.effect(
    "INV-OPR-1 shows entities to the operator alone; a workspace's token meets what an unknown one meets",
    () =>
      Effect.gen(function* () {
        const id = yield* appIdOf(app)
        const unknownId = id.replace(/.{36}$/, "0198c0de-0000-7000-8000-0000000000ff")
        const seen = yield* look(`app/${id}`, StarbaseProcess.operatorToken)
        assert.strictEqual(seen.status, 200)
        for (const path of [
          `app/${id}`,
          `app/${id}/journal?limit=x`,
          `cluster/${clusterId}`,
          `tenant/${workspaceId}`
        ]) {
          const hidden = yield* look(path, workspaceToken)
          assert.strictEqual(hidden.status, 404, path)
          assert.strictEqual((yield* look(path, null)).status, 401)
          assert.strictEqual((yield* look(path, agentToken)).status, 401)
        }
        const hidden = yield* look(`app/${unknownId}`, workspaceToken)
        const unknown = yield* look(`app/${unknownId}`, StarbaseProcess.operatorToken)
        assert.deepStrictEqual(hidden, unknown)
        assert.strictEqual(
          (yield* look(`app/${unknownId}/journal`, StarbaseProcess.operatorToken)).status,
          404
        )
      })
  )

  it.effect("pages a journal, oldest first, and shows a state as it was", () =>
    Effect.gen(function* () {
      const token = StarbaseProcess.operatorToken
      const path = `tenant/${workspaceId}`
      const whole = yield* decodePage((yield* look(`${path}/journal`, token)).body)
      assert.deepStrictEqual(
        whole.events.map(({ event }) => event._tag),
        ["WorkspaceCreated", "TokenAdded", "ProjectCreated", "ServiceCreated"]
      )
      assert.isNull(whole.next)
      const first = yield* decodePage((yield* look(`${path}/journal?limit=3`, token)).body)
      assert.strictEqual(first.next, 3)
      const rest = yield* decodePage((yield* look(`${path}/journal?after=${first.next}&limit=3`, token)).body)
      assert.deepStrictEqual([...first.events, ...rest.events], whole.events)
      const past = yield* decodePage((yield* look(`${path}/journal?after=2147483647`, token)).body)
      assert.deepStrictEqual(past, { events: [], next: null })
      const then = yield* look(`${path}?sequence=3`, token)
      assert.deepInclude(then.body, { sequence: 3 })
      for (const query of [
        "limit=0",
        "limit=501",
        "after=-1",
        "after=2147483648",
        "after=1.5",
        "after=1&after=2"
      ]) {
        assert.strictEqual((yield* look(`${path}/journal?${query}`, token)).status, 422, query)
      }
    })
  )
})
