/** The agents' door for snapshots and capacity, over HTTP. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { Sharding } from "effect/cluster/Sharding"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import * as AppId from "@starform/domain/ids/AppId"
import { ClusterId } from "@starform/domain/ids/Ids"
import { capacityBytesMax, snapshotBytesMax } from "@starform/domain/protocol/AgentApi"
import * as ApiWorld from "../harness/ApiWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"
import { encodeBatch, snapshotOf } from "../usage/Snapshots.ts"

const { agentToken, clusterId, workspaceId } = ApiWorld

const post = Effect.fnUntraced(function* (
  door: "snapshots" | "capacity",
  body: string,
  token: Redacted.Redacted<string> = agentToken,
  cluster: ClusterId = clusterId
) {
  const url = `${yield* ApiWorld.baseUrl}/api/v1/clusters/${cluster}/${door}`
  const request = HttpClientRequest.bodyText(HttpClientRequest.post(url), body, "application/json")
  const response = yield* HttpClient.execute(HttpClientRequest.bearerToken(request, token))
  return { status: response.status, text: yield* response.text }
})

const capacityOf = (currentPodCount: number, cluster: ClusterId = clusterId) =>
  JSON.stringify({
    cluster_id: cluster,
    current_pod_count: currentPodCount,
    soft_limit: 1000,
    timestamp: "2026-01-02T03:04:05.678Z"
  })

const layer = StarbaseProcess.layer(ApiWorld.script).pipe(Layer.provideMerge(FetchHttpClient.layer))

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("UsageDoor", (it) => {
  it.effect("INV-SEC-5 opens to nobody else, and a cluster that nobody registered wakes no entity", () =>
    Effect.gen(function* () {
      yield* ApiWorld.setUp
      const sharding = yield* Sharding
      const unknown = ClusterId.make("0198c0de-0000-7000-8000-00000000dead")
      const before = yield* sharding.activeEntityCount
      for (const [door, body] of [
        ["snapshots", '{"snapshots":[]}'],
        ["capacity", capacityOf(1)]
      ] as const) {
        const statusOf = (token: string, cluster?: ClusterId) =>
          Effect.map(post(door, body, Redacted.make(token), cluster), ({ status }) => status)
        assert.strictEqual(yield* statusOf(`sfc_${clusterId}_${"b".repeat(43)}`), 401)
        assert.strictEqual(yield* statusOf(Redacted.value(ApiWorld.workspaceToken)), 401)
        assert.strictEqual(yield* statusOf(Redacted.value(agentToken), unknown), 401)
        assert.strictEqual(yield* statusOf(`sfc_${unknown}_${"b".repeat(43)}`, unknown), 401)
      }
      assert.strictEqual(yield* sharding.activeEntityCount, before)
    })
  )

  it.effect("stores what the cluster's agent says of its own apps, once, and says what became of it", () =>
    Effect.gen(function* () {
      yield* ApiWorld.push(1)
      const key = yield* Effect.fromResult(AppId.parse(yield* ApiWorld.appIdOf(ApiWorld.app)))
      const own = snapshotOf(key, workspaceId)
      const strangers = snapshotOf(key, ApiWorld.strangerId)
      const body = encodeBatch({ snapshots: [own, strangers] })
      const first = yield* post("snapshots", body)
      assert.deepStrictEqual(first, { status: 200, text: '{"stored":1,"repeated":0,"refused":1}' })
      const second = yield* post("snapshots", body)
      assert.deepStrictEqual(second, { status: 200, text: '{"stored":0,"repeated":1,"refused":1}' })
      const sql = yield* PgClient.PgClient
      const rows =
        yield* sql`SELECT pod_id AS "podId", phase, tier, cpu_millicores AS cpu, memory_mebibytes AS memory
        FROM usage_snapshots`
      assert.deepStrictEqual(
        rows.map((row) => ({ ...row })),
        [{ podId: own.podId, phase: "Running", tier: "nova", cpu: 250, memory: 512 }]
      )
    })
  )

  it.effect("refuses what is not of the contract, another cluster's count, and bodies without end", () =>
    Effect.gen(function* () {
      const statusOf = (door: "snapshots" | "capacity", body: string) =>
        Effect.map(post(door, body), ({ status }) => status)
      assert.strictEqual(yield* statusOf("snapshots", "{}"), 422)
      assert.strictEqual(yield* statusOf("snapshots", `{"snapshots":[]}${" ".repeat(snapshotBytesMax)}`), 422)
      assert.strictEqual(yield* statusOf("capacity", `${capacityOf(1)}${" ".repeat(capacityBytesMax)}`), 422)
      const other = ClusterId.make("0198c0de-0000-7000-8000-000000000009")
      assert.strictEqual(yield* statusOf("capacity", capacityOf(1, other)), 422)
    })
  )

  it.effect("shows an operator the capacity and its age", () =>
    Effect.gen(function* () {
      const operator = yield* ApiWorld.clientOf(StarbaseProcess.operatorToken)
      assert.isNull((yield* operator.GetCluster({ clusterId })).capacity)
      assert.strictEqual((yield* post("capacity", capacityOf(423))).status, 204)
      const { capacity } = yield* operator.GetCluster({ clusterId })
      assert.strictEqual(capacity?.currentPodCount, 423)
      assert.strictEqual(capacity?.softLimit, 1000)
      assert.isAtMost(capacity?.ageSeconds ?? -1, 30)
      assert.isAtLeast(capacity?.ageSeconds ?? -1, 0)
    })
  )
})
