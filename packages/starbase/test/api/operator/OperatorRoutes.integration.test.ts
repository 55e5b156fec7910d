/** The operators' desk over plain HTTP, as somebody with `curl` meets it. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, type Redacted, Schedule, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { Journal } from "@starform/starbase/journal/Journal"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import {
  agentToken,
  app,
  appIdOf,
  clusterId,
  deployOf,
  endless,
  ended,
  clientOf,
  push,
  script,
  setUp,
  workspaceId,
  workspaceToken
} from "../../harness/ApiWorld.ts"
import * as ObedientAgent from "../../harness/ObedientAgent.ts"
import * as StarbaseProcess from "../../harness/StarbaseProcess.ts"

const ask = Effect.fnUntraced(function* (
  method: "GET" | "POST",
  path: string,
  token: Redacted.Redacted<string> | null = StarbaseProcess.operatorToken
) {
  const { publicUrl } = yield* StarbaseConfig
  const request = HttpClientRequest.make(method)(`${publicUrl}/operator/${path}`).pipe(
    token === null ? (same) => same : HttpClientRequest.bearerToken(token)
  )
  const response = yield* HttpClient.execute(request)
  return { status: response.status, body: yield* response.json }
})

const get = (path: string) => ask("GET", path)
const post = (path: string) => ask("POST", path)

const Audit = Schema.Struct({
  audit: Schema.Array(
    Schema.Struct({ id: Schema.Int, action: Schema.String, target: Schema.String, outcome: Schema.String })
  ),
  next: Schema.NullOr(Schema.Int)
})

const decodeDeploys = Schema.decodeUnknownEffect(
  Schema.Struct({
    deploys: Schema.Array(
      Schema.Struct({
        deployId: Schema.String,
        phase: Schema.String,
        phaseSinceMs: Schema.Int,
        deadlineAtMs: Schema.NullOr(Schema.Int),
        waitsFor: Schema.String,
        workflow: Schema.String,
        build: Schema.NullOr(Schema.Struct({ status: Schema.String }))
      })
    )
  })
)

const layer = StarbaseProcess.layer(script).pipe(Layer.provideMerge(FetchHttpClient.layer))

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("OperatorRoutes", (it) => {
  it.effect("INV-OPR-1 answers others alike, whatever is asked and however badly", () =>
    Effect.gen(function* () {
      yield* setUp
      const id = yield* appIdOf(app)
      const paths = [
        ["GET", `entities/app/${id}/activity`],
        ["POST", `entities/app/${id}/passivate`],
        ["GET", "runners"],
        ["GET", "runners/moves?limit=x"],
        ["POST", "runners/127.0.0.1:1/drain"],
        ["POST", "runners/127.0.0.1:1/undrain"],
        ["GET", "deploys"],
        ["POST", `deploys/${deployOf(1)}/retry`],
        ["POST", "deploys/nonsense/cancel"],
        ["GET", "outbox?limit=0"],
        ["GET", `apps/${id}/why`],
        ["GET", `entities/tenant/${workspaceId}?at=yesterday`],
        ["GET", `clusters/${clusterId}`],
        ["POST", `clusters/${clusterId}/join-token`],
        ["POST", "clusters/nonsense/credential/rotate"],
        ["POST", `clusters/${clusterId}/credential/revoke`],
        ["GET", "audit?before=x"]
      ] as const
      for (const [method, path] of paths) {
        const hidden = yield* ask(method, path, workspaceToken)
        assert.strictEqual(hidden.status, 404, path)
        assert.strictEqual((yield* ask(method, path, null)).status, 401, path)
        assert.strictEqual((yield* ask(method, path, agentToken)).status, 401, path)
      }
      const unknown = id.replace(/.{36}$/, "0198c0de-0000-7000-8000-0000000000ff")
      for (const path of [`entities/app/${unknown}/activity`, `apps/${unknown}/why`]) {
        assert.deepStrictEqual(yield* ask("GET", path, workspaceToken), yield* get(path), path)
      }
    })
  )

  it.effect("refuses parameters that say nothing, and names them", () =>
    Effect.gen(function* () {
      const tenant = `entities/tenant/${workspaceId}`
      for (const [path, field] of [
        [`${tenant}?at=yesterday`, "at"],
        [`${tenant}?at=2026-01-01T00:00:00`, "at"],
        [`${tenant}?at=1&at=2`, "at"],
        [`${tenant}?at=1&sequence=1`, "at"],
        [`${tenant}?sequence=0`, "sequence"],
        ["runners/moves?limit=501", "limit"],
        ["runners/moves?before=0", "before"],
        ["outbox?limit=0", "limit"],
        ["audit?limit=1.5", "limit"]
      ] as const) {
        const { status, body } = yield* get(path)
        assert.strictEqual(status, 422, path)
        assert.include(JSON.stringify(body), `"${field}: `, path)
      }
      assert.strictEqual((yield* post("deploys/nonsense/retry")).status, 404)
      assert.strictEqual((yield* post("runners/nobody/drain")).status, 404)
    })
  )

  it.effect("shows a state as it was at a time, by either way of writing it", () =>
    Effect.gen(function* () {
      const tenant = `entities/tenant/${workspaceId}`
      const pages = yield* get(`${tenant}/journal`)
      const { events } = yield* Schema.decodeUnknownEffect(
        Schema.Struct({ events: Schema.Array(Schema.Struct({ sequence: Schema.Int, atMs: Schema.Int })) })
      )(pages.body)
      const first = events[0]!
      const until = events.findIndex(({ atMs }) => atMs > first.atMs)
      const sequence = until === -1 ? events.length : until
      const iso = encodeURIComponent(new Date(first.atMs).toISOString())
      for (const at of [String(first.atMs), iso]) {
        assert.deepInclude((yield* get(`${tenant}?at=${at}`)).body, { sequence }, at)
      }
      assert.strictEqual((yield* get(`${tenant}?at=${first.atMs - 1}`)).status, 404)
    })
  )

  it.effect("INV-OPR-3 shows an entity that nobody holds in memory without waking it", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const slept = "0198c0de-0000-7000-8000-0000000000ee"
      const workspace = { id: slept, slug: "asleep", displayName: "Asleep" }
      yield* journal.append(
        { type: "Tenant", id: slept },
        {
          after: 0,
          events: [{ _tag: "WorkspaceCreated", workspace }],
          actor: "operator",
          requestId: "asleep",
          atMs: 0,
          reply: null,
          effects: [],
          reserve: [],
          release: [],
          rows: []
        }
      )
      for (let look = 0; look < 2; look++) {
        const { body } = yield* get(`entities/tenant/${slept}/activity`)
        assert.deepInclude(body, { status: "absent", incarnation: null })
      }
      const id = yield* appIdOf(app)
      const cluster = yield* get(`entities/cluster/${clusterId}/activity`)
      assert.deepInclude(cluster.body, { type: "Cluster", status: "resident", shardGroup: "default" })
      const { incarnation } = yield* Schema.decodeUnknownEffect(
        Schema.Struct({ incarnation: Schema.Struct({ sequence: Schema.Int, sinceMs: Schema.Int }) })
      )(cluster.body)
      assert.strictEqual(incarnation.sequence, 1)
      const passivated = yield* post(`entities/app/${id}/passivate`)
      assert.deepStrictEqual(passivated, { status: 200, body: { sequence: 1 } })
    })
  )

  it.effect("says why an app is not live, from its first push to live", () =>
    Effect.gen(function* () {
      const id = yield* appIdOf(app)
      const why = Effect.map(get(`apps/${id}/why`), ({ body }) => body)
      assert.deepInclude(yield* why, { verdict: "empty", headline: "Nothing was deployed yet.", journey: [] })
      const owner = yield* clientOf(workspaceToken)
      const { publicUrl } = yield* StarbaseConfig
      yield* Effect.forkScoped(ObedientAgent.run({ url: publicUrl, clusterId, token: agentToken }))
      yield* push(1)
      yield* ended(owner, deployOf(1))
      assert.deepInclude(yield* why, { verdict: "live", headline: "Release 1 is live.", findings: [] })
      yield* push(2)
      yield* ended(owner, deployOf(2))
      const failed = yield* why
      assert.deepInclude(failed, { verdict: "failed" })
      assert.include(JSON.stringify(failed), "npm ci ended with status 1")
      assert.include(JSON.stringify(failed), "Release 1 still serves.")
    })
  )

  it.effect("INV-OPR-4 pages the audit of all that, newest first", () =>
    Effect.gen(function* () {
      const page = yield* Schema.decodeUnknownEffect(Audit)((yield* get("audit?limit=2")).body)
      assert.strictEqual(page.audit.length, 2)
      assert.strictEqual(page.next, page.audit[1]?.id ?? 0)
      const rest = yield* Schema.decodeUnknownEffect(Audit)(
        (yield* get(`audit?limit=500&before=${page.next}`)).body
      )
      const done = rest.audit.map(({ action, outcome }) => `${action} ${outcome}`)
      assert.includeMembers(done, ["passivate done", "drain NotFound", "activity done", "inspect NotFound"])
    })
  )

  it.effect("shows a build that runs, where it is and until when, and ends its deploy when asked", () =>
    Effect.gen(function* () {
      const id = yield* appIdOf(app)
      yield* push(endless)
      const running = yield* get("deploys").pipe(
        Effect.flatMap(({ body }) => decodeDeploys(body)),
        Effect.map(({ deploys }) => deploys[0]),
        Effect.repeat({
          until: (deploy) => deploy?.build?.status === "running" && deploy.workflow === "waiting",
          schedule: Schedule.spaced("50 millis")
        }),
        Effect.timeout("20 seconds")
      )
      assert.deepInclude(running, { deployId: deployOf(endless), phase: "building", waitsFor: "the builder" })
      assert.isAbove(running?.deadlineAtMs ?? 0, running?.phaseSinceMs ?? 0)
      assert.deepInclude((yield* get(`apps/${id}/why`)).body, { verdict: "underway" })
      assert.strictEqual((yield* post(`deploys/${deployOf(endless)}/retry`)).status, 200)
      const cancelled = yield* post(`deploys/${deployOf(endless)}/cancel`)
      assert.deepInclude(cancelled.body, { phase: "cancelled" })
      assert.strictEqual((yield* post(`deploys/${deployOf(endless)}/cancel`)).status, 409)
    })
  )
})
