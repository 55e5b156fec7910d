import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Redacted, Schedule, Schema } from "effect"
import { Sharding } from "effect/cluster/Sharding"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { DesiredState } from "@starform/domain/desired/DesiredState"
import { ClusterId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import * as Revision from "@starform/domain/ids/Revision"
import { reportBytesMax } from "@starform/domain/protocol/AgentApi"
import { ResidentClusters } from "@starform/starbase/entities/ResidentClusters"
import { hash } from "@starform/starbase/security/Token"
import {
  agentToken,
  app,
  appIdOf,
  baseUrl,
  clientOf,
  clusterId,
  commitOf,
  deployOf,
  ended,
  push,
  requestId,
  script,
  setUp,
  workspaceToken
} from "../harness/ApiWorld.ts"
import * as ObedientAgent from "../harness/ObedientAgent.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"
import { operatorToken } from "../harness/StarbaseProcess.ts"

interface Pull {
  readonly token?: Redacted.Redacted<string> | null
  readonly cluster?: string
  readonly known?: string
  readonly wait?: number
  readonly headers?: Readonly<Record<string, string>>
}

const send = Effect.fnUntraced(function* (
  request: HttpClientRequest.HttpClientRequest,
  token: Redacted.Redacted<string> | null
) {
  const response = yield* HttpClient.execute(
    token === null ? request : HttpClientRequest.bearerToken(request, token)
  )
  return { status: response.status, text: yield* response.text, headers: response.headers }
})

const pull = Effect.fnUntraced(function* ({
  token = agentToken,
  cluster = clusterId,
  known,
  wait = 0,
  headers = {}
}: Pull = {}) {
  const request = HttpClientRequest.get(`${yield* baseUrl}/api/v1/clusters/${cluster}/desired-state`).pipe(
    HttpClientRequest.setHeaders({
      prefer: `wait=${wait}`,
      ...(known === undefined ? {} : { "if-none-match": known }),
      ...headers
    })
  )
  return yield* send(request, token)
})

const report = Effect.fnUntraced(function* (body: string, token: Redacted.Redacted<string> = agentToken) {
  const request = HttpClientRequest.post(`${yield* baseUrl}/api/v1/clusters/${clusterId}/status`).pipe(
    HttpClientRequest.bodyText(body, "application/json")
  )
  return yield* send(request, token)
})

const decodeDocument = Schema.decodeUnknownSync(Schema.fromJsonString(DesiredState))

const layer = StarbaseProcess.layer(script).pipe(Layer.provideMerge(FetchHttpClient.layer))

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("AgentDoor", (it) => {
  it.effect("opens to the cluster's own agent and to nobody else, with one answer for all of them", () =>
    Effect.gen(function* () {
      yield* setUp
      assert.strictEqual((yield* pull()).status, 200)
      const other = ClusterId.make("0198c0de-0000-7000-8000-0000000000ff")
      const strangers = [
        yield* pull({ token: null }),
        yield* pull({ token: Redacted.make("nonsense") }),
        yield* pull({ token: Redacted.make(`sfc_${clusterId}_${"b".repeat(43)}`) }),
        yield* pull({ token: workspaceToken }),
        yield* pull({ token: operatorToken }),
        yield* pull({ cluster: other }),
        yield* pull({ cluster: other, token: Redacted.make(`sfc_${other}_${"a".repeat(43)}`) }),
        yield* pull({ cluster: "not-a-cluster" })
      ]
      for (const { status, text } of strangers) {
        assert.strictEqual(status, 401, text)
        assert.strictEqual(text, strangers[0]!.text)
      }
    })
  )

  it.effect(
    "INV-CLU-9 answers a plain pull from memory, and by the credential and the revision of this moment",
    () =>
      Effect.gen(function* () {
        const operator = yield* clientOf(operatorToken)
        const residents = yield* ResidentClusters
        const isResident = (token: Redacted.Redacted<string>, revision: string) =>
          residents.isUpToDate(clusterId, hash(token), Revision.Revision.make(revision))
        const registration = { clusterId, name: Slug.make("local"), region: "here" }
        const register = (token: Redacted.Redacted<string>) =>
          operator.RegisterCluster({ requestId: requestId(), ...registration, agentTokenHash: hash(token) })
        const known = (yield* pull()).headers["etag"] ?? ""
        const revision = known.slice(1, -1)
        assert.strictEqual((yield* pull({ known })).status, 304)
        assert.isTrue(isResident(agentToken, revision), "it was not asked")
        const seen = (yield* operator.GetCluster({ clusterId })).agentRevision
        assert.strictEqual(seen, revision)

        const next = Redacted.make(`sfc_${clusterId}_${"n".repeat(43)}`)
        yield* register(next)
        assert.isFalse(isResident(agentToken, revision))
        assert.strictEqual((yield* pull({ known })).status, 401)
        assert.strictEqual((yield* pull({ known, token: next })).status, 304)
        yield* register(agentToken)

        yield* operator.RenewEpoch({ requestId: requestId(), clusterId })
        assert.isFalse(isResident(agentToken, revision))
        const newer = yield* pull({ known })
        assert.strictEqual(newer.status, 200)
        const epoch = Revision.parse(decodeDocument(newer.text).revision).epoch
        yield* operator.ConfirmEpoch({ requestId: requestId(), clusterId, epoch })
      })
  )

  it.effect("INV-SEC-5 wakes no entity for tokens that name an owner of their own making", () =>
    Effect.gen(function* () {
      const sharding = yield* Sharding
      const client = yield* clientOf(Redacted.make(`sfw_${randomUUID()}_${"a".repeat(43)}`))
      const residents = yield* sharding.activeEntityCount
      for (let attempt = 0; attempt < 5; attempt++) {
        const cluster = randomUUID()
        const token = Redacted.make(`sfc_${cluster}_${"a".repeat(43)}`)
        assert.strictEqual((yield* pull({ cluster, token })).status, 401)
        const refused = yield* Effect.flip(client.ListWorkspaces())
        assert.strictEqual(refused._tag, "Unauthenticated")
      }
      assert.strictEqual(yield* sharding.activeEntityCount, residents)
    })
  )

  it.effect("answers a known revision with 304 after the wait, and a new one at once", () =>
    Effect.gen(function* () {
      const first = yield* pull()
      const etag = first.headers["etag"]!
      assert.strictEqual(decodeDocument(first.text).kind, "full")
      assert.strictEqual((yield* pull({ known: etag })).status, 304)
      assert.strictEqual((yield* pull({ known: etag, wait: 1 })).status, 304)
      const parked = yield* Effect.forkChild(pull({ known: etag, wait: 30 }))
      yield* push(1)
      const answer = yield* Fiber.join(parked)
      assert.strictEqual(answer.status, 200)
      const document = decodeDocument(answer.text)
      assert.strictEqual(document.kind, "delta")
      assert.strictEqual(document.kind === "delta" ? `"${document.base}"` : "", etag)
      const whole = yield* pull({ known: etag, headers: { "accept-delta": "no" } })
      assert.strictEqual(decodeDocument(whole.text).kind, "full")
      assert.strictEqual(decodeDocument(whole.text).hash, document.hash)
    })
  )

  it.effect("answers a revision that it never made with the whole document", () =>
    Effect.gen(function* () {
      for (const known of [`"ffffffff-1"`, "nonsense", `"0"`]) {
        const answer = yield* pull({ known })
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(decodeDocument(answer.text).kind, "full")
      }
    })
  )

  it.effect("refuses a report that is none, says where, and keeps what it knew", () =>
    Effect.gen(function* () {
      const client = yield* clientOf(workspaceToken)
      const agent = yield* Effect.forkChild(
        ObedientAgent.run({ url: yield* baseUrl, clusterId, token: agentToken })
      )
      assert.strictEqual((yield* ended(client, deployOf(1))).phase, "deployed")
      yield* Fiber.interrupt(agent)
      const appId = yield* appIdOf(app)
      const empty = `{"revision":null,"apps":[],"complete":false,"agent_version":"1"}`
      const refused = [
        "",
        "{",
        "null",
        "[]",
        `{"revision":null,"apps":{},"complete":false,"agent_version":"1"}`,
        `{"revision":null,"apps":[{"app_id":"${appId}"}],"complete":false,"agent_version":"1"}`,
        `{"revision":"yesterday","apps":[],"complete":false,"agent_version":"1"}`
      ]
      for (const body of refused) {
        const answer = yield* report(body)
        assert.strictEqual(answer.status, 422, body)
        assert.include(answer.text, "InvalidInput", body)
      }
      const tooLarge = yield* report(" ".repeat(reportBytesMax + 1))
      assert.isAtLeast(tooLarge.status, 400)
      assert.isBelow(tooLarge.status, 500)
      assert.strictEqual(
        (yield* report(empty, Redacted.make(`sfc_${clusterId}_${"b".repeat(43)}`))).status,
        401
      )
      const status = yield* client.GetAppStatus({ app })
      assert.strictEqual(status.live?.provenance.gitSha, commitOf(1))
      assert.strictEqual(status.observed?.phase, "available")
    })
  )

  it.effect("takes no word of another cluster's agent on an app", () =>
    Effect.gen(function* () {
      const operator = yield* clientOf(operatorToken)
      const other = ClusterId.make("0198c0de-0000-7000-8000-0000000000ee")
      const token = Redacted.make(`sfc_${other}_${"o".repeat(43)}`)
      yield* operator.RegisterCluster({
        requestId: requestId(),
        clusterId: other,
        name: Slug.make("elsewhere"),
        region: "there",
        agentTokenHash: hash(token)
      })
      const client = yield* clientOf(workspaceToken)
      const before = yield* client.GetAppStatus({ app })
      const appId = yield* appIdOf(app)
      const lie = {
        revision: null,
        complete: true,
        agent_version: "1",
        apps: [
          {
            app_id: appId,
            deploy_id: deployOf(1),
            release_id: before.live!.id,
            ordinal: before.deploy!.ordinal,
            phase: "failed",
            processes: [],
            reason: { code: "Lie", message: "it is down" },
            output: []
          }
        ]
      }
      const request = HttpClientRequest.post(`${yield* baseUrl}/api/v1/clusters/${other}/status`).pipe(
        HttpClientRequest.bodyText(JSON.stringify(lie), "application/json")
      )
      yield* send(request, token)
      const honest = { ...lie, apps: [{ ...lie.apps[0]!, phase: "degraded", reason: null }] }
      assert.strictEqual((yield* report(JSON.stringify(honest))).status, 204)
      const seen = yield* client.GetAppStatus({ app }).pipe(
        Effect.repeat({
          schedule: Schedule.spaced("10 millis"),
          until: ({ observed }) => observed?.phase !== "available"
        }),
        Effect.timeout("10 seconds")
      )
      assert.strictEqual(seen.observed?.phase, "degraded")
    })
  )
})
