/** What comes through the doors for people, operators and agents and is wrong: each hears so, and everything answers on. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted, Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import { reportBytesMax } from "@starform/domain/protocol/AgentApi"
import { requestBytesMax } from "@starform/domain/protocol/RpcTransport"
import {
  agentToken,
  app,
  appIdOf,
  baseUrl,
  clientOf,
  clusterId,
  deployOf,
  ended,
  push,
  script,
  setUp,
  workspaceId,
  workspaceToken
} from "../harness/ApiWorld.ts"
import * as ObedientAgent from "../harness/ObedientAgent.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

const { operatorToken } = StarbaseProcess

/** Plain `fetch`: what is sent may be what no client of ours would send. */
const send = Effect.fnUntraced(function* (
  path: string,
  token: Redacted.Redacted<string>,
  init: RequestInit & { readonly duplex?: "half" } = {}
) {
  const url = yield* baseUrl
  const headers = { authorization: `Bearer ${Redacted.value(token)}` }
  const answer = yield* Effect.promise(() => fetch(url + path, { ...init, headers }))
  return { status: answer.status, text: yield* Effect.promise(() => answer.text()) }
})

const post = (path: string, token: Redacted.Redacted<string>, body?: string) =>
  send(path, token, { method: "POST", ...(body === undefined ? {} : { body }) })

/** Longer than `bytes`, and nobody says so beforehand. */
const unannounced = (bytes: number) => {
  const chunk = new Uint8Array(64 * 1024).fill(32)
  let sent = 0
  return new ReadableStream({
    pull: (controller) => {
      if (sent > bytes) controller.close()
      else controller.enqueue(chunk)
      sent += chunk.length
    }
  })
}

const frameOf = (tag: string, payload: unknown) =>
  `${JSON.stringify({ _tag: "Request", id: "1", tag, payload, headers: [] })}\n`

const decodeExit = Schema.decodeUnknownEffect(
  Schema.fromJsonString(
    Schema.Struct({
      exit: Schema.Struct({
        _tag: Schema.String,
        cause: Schema.optionalKey(
          Schema.Array(Schema.Struct({ error: Schema.Struct({ _tag: Schema.String }) }))
        )
      })
    })
  )
)

/** Tag of the error that an RPC ends with, or `Success`. */
const rpc = Effect.fnUntraced(function* (tag: string, payload: unknown, token = operatorToken) {
  const { text } = yield* post("/rpc", token, frameOf(tag, payload))
  const { exit } = yield* Effect.orDie(decodeExit(text))
  return exit.cause?.[0]?.error._tag ?? exit._tag
})

const report = (body: string) => post(`/api/v1/clusters/${clusterId}/status`, agentToken, body)

const nul = "\u0000"
const half = "\ud800"

const layer = StarbaseProcess.layer(script).pipe(Layer.provideMerge(FetchHttpClient.layer))

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("BadInput", (it) => {
  it.effect("/rpc: entity types and ids that there are not, whoever may ask for them", () =>
    Effect.gen(function* () {
      yield* setUp
      const id = yield* appIdOf(app)
      for (const [tag, more] of [
        ["InspectActivity", {}],
        ["PassivateEntity", { requestId: "passivate" }],
        ["InspectEntity", { sequence: null }],
        ["ReadJournal", { afterSequence: 0, limit: 1 }]
      ] as const) {
        assert.strictEqual(yield* rpc(tag, { ...more, type: "Gadget", id }), "InvalidInput", tag)
        for (const unknown of ["", "../..", `${id}x`, "x".repeat(10_000)]) {
          assert.strictEqual(yield* rpc(tag, { ...more, type: "App", id: unknown }), "NotFound", tag)
        }
        assert.strictEqual(yield* rpc(tag, { ...more, type: "App", id: nul }), "InvalidInput", tag)
      }
      assert.strictEqual(yield* rpc("GetCluster", { clusterId: "x" }), "InvalidInput")
      assert.strictEqual(yield* rpc("GetCluster", { clusterId: workspaceId }), "NotFound")
      assert.strictEqual(
        yield* rpc("DrainRunner", { requestId: "drain", address: "nobody", drained: true }),
        "NotFound"
      )
      assert.strictEqual(yield* rpc("InspectActivity", { type: "App", id }), "Success")
    })
  )

  it.effect("/rpc: fields and requests of a newer client", () =>
    Effect.gen(function* () {
      const id = yield* appIdOf(app)
      assert.strictEqual(yield* rpc("InspectActivity", { type: "App", id, colour: "red" }), "Success")
      const { status, text } = yield* post("/rpc", workspaceToken, frameOf("PaintApp", { app }))
      assert.strictEqual(status, 422)
      assert.include(text, "InvalidInput")
    })
  )

  it.effect("/rpc: text that cannot be kept, before anything is asked to keep it", () =>
    Effect.gen(function* () {
      for (const text of [nul, half, `a${half}b`]) {
        const workspace = { id: deployOf(77), slug: "nulls", tokenHash: "a".repeat(64) }
        const named = { ...workspace, requestId: "text", displayName: text }
        assert.strictEqual(yield* rpc("CreateWorkspace", named), "InvalidInput")
        assert.strictEqual(
          yield* rpc("CreateWorkspace", { ...workspace, requestId: text, displayName: "Nulls" }),
          "InvalidInput"
        )
        const variables = {
          app,
          requestId: "text",
          set: [{ key: "A", value: text, secret: true }],
          unset: []
        }
        assert.strictEqual(yield* rpc("SetVariables", variables, workspaceToken), "InvalidInput")
      }
      const whole = { requestId: "whole", id: deployOf(78), slug: "whole", tokenHash: "a".repeat(64) }
      assert.strictEqual(yield* rpc("CreateWorkspace", { ...whole, displayName: "\\u0000 é 😀" }), "Success")
    })
  )

  it.effect(
    "/rpc: nesting without end, bytes that are no text, a body over the limit that nobody announced",
    () =>
      Effect.gen(function* () {
        const deep = `${"[".repeat(400_000)}"\\u0000"${"]".repeat(400_000)}`
        const nested = `{"_tag":"Request","id":"1","tag":"ListWorkspaces","headers":[],"payload":${deep}}\n`
        assert.include((yield* post("/rpc", workspaceToken, nested)).text, "InvalidInput")
        const bytes = Buffer.from(frameOf("GetCluster", { clusterId: "?" }))
        bytes[bytes.indexOf("?")] = 0xff
        const mangled = yield* send("/rpc", operatorToken, { method: "POST", body: bytes })
        assert.include(mangled.text, "InvalidInput")
        const endless = { method: "POST", body: unannounced(requestBytesMax), duplex: "half" } as const
        assert.strictEqual((yield* send("/rpc", workspaceToken, endless)).status, 413)
        assert.strictEqual(yield* rpc("ListWorkspaces", null, workspaceToken), "Success")
      })
  )

  it.effect("/operator: types, ids and runners that there are not", () =>
    Effect.gen(function* () {
      for (const type of ["gadget/x", "tenant", "app/x", "Workflow/DeployRelease"]) {
        assert.strictEqual((yield* send(`/operator/entities/${type}`, operatorToken)).status, 404, type)
        assert.strictEqual((yield* post(`/operator/entities/${type}/passivate`, operatorToken)).status, 404)
      }
      for (const id of ["%00", "%zz", "%ED%A0%80", "..%2f..", "%F0%9F%98%80", "x".repeat(5_000)]) {
        for (const look of ["", "/journal", "/activity"]) {
          const path = `/operator/entities/tenant/${id}${look}`
          assert.strictEqual((yield* send(path, operatorToken)).status, 404, path)
        }
        const actions = [`entities/tenant/${id}/passivate`, `runners/${id}/drain`, `deploys/${id}/retry`]
        for (const action of actions) {
          assert.strictEqual((yield* post(`/operator/${action}`, operatorToken)).status, 404, action)
        }
      }
      assert.strictEqual((yield* send(`/operator/entities/tenant/${workspaceId}`, operatorToken)).status, 200)
    })
  )

  it.effect("/operator: a body where none is asked for, of any size", () =>
    Effect.gen(function* () {
      const path = `/operator/entities/tenant/${workspaceId}/passivate`
      for (const body of ["{", "x".repeat(8 * 1024 * 1024)]) {
        assert.strictEqual((yield* post(path, operatorToken, body)).status, 200)
      }
    })
  )

  it.effect("agents: reports of newer code, beyond their size, of any depth", () =>
    Effect.gen(function* () {
      const empty = { revision: null, apps: [], complete: false, agent_version: "1" }
      assert.strictEqual((yield* report(JSON.stringify({ ...empty, colour: "red" }))).status, 204)
      assert.strictEqual((yield* report(JSON.stringify({ ...empty, agent_version: nul }))).status, 204)
      const deep = `{"revision":null,"apps":${"[".repeat(500_000)}${"]".repeat(500_000)}}`
      assert.strictEqual((yield* report(deep)).status, 422)
      const path = `/api/v1/clusters/${clusterId}/status`
      const endless = { method: "POST", body: unannounced(reportBytesMax), duplex: "half" } as const
      assert.strictEqual((yield* send(path, agentToken, endless)).status, 422)
      for (const other of ["/api/v2/clusters/x/status", "/api/v1/clusters/%zz/status"]) {
        assert.strictEqual((yield* post(other, agentToken, JSON.stringify(empty))).status, 404)
      }
      assert.strictEqual((yield* post("/api/v1/clusters/%00/status", agentToken, "{}")).status, 401)
    })
  )

  it.effect("agents: what an app printed cannot keep its failure from being told", () =>
    Effect.gen(function* () {
      const verdict: ObedientAgent.Verdict = () => ({
        phase: "failed",
        reason: { code: "CrashLoop", message: `ends with ${nul}` },
        output: [`${nul} bytes ${half}`]
      })
      const access = { url: yield* baseUrl, clusterId, token: agentToken }
      yield* Effect.forkScoped(ObedientAgent.run(access, verdict))
      yield* push(1)
      const client = yield* clientOf(workspaceToken)
      const { phase, failure } = yield* ended(client, deployOf(1))
      assert.strictEqual(phase, "failed")
      assert.deepInclude(failure, { code: "CrashLoop" })
      assert.include(JSON.stringify(failure), "\ufffd bytes \ufffd")
    }).pipe(Effect.scoped)
  )
})
