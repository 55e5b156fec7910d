/** What a scrape gives after a push, to whom, and that docs/metrics.md says the same. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option, Redacted } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { shardsPerGroup } from "@starform/starbase/ClusterRunner"
import { exposed } from "@starform/starbase/metrics/StarbaseMetrics"
import { hash } from "@starform/starbase/security/Token"
import * as ApiWorld from "../harness/ApiWorld.ts"
import * as GitClone from "../harness/GitClone.ts"
import * as GitWorld from "../harness/GitWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"
import * as MetricsPage from "./MetricsPage.ts"

const builds = new GitWorld.Builds()
const scrapeToken = Redacted.make("a-token-of-the-scraper")

const layer = GitWorld.layerNew.pipe(
  Layer.provideMerge(
    StarbaseProcess.layer(builds.script, { scrapeTokenHash: Option.some(hash(scrapeToken)) })
  ),
  Layer.provideMerge(FetchHttpClient.layer)
)

const get = Effect.fnUntraced(function* (path: string, token: Redacted.Redacted<string> | null) {
  const request = HttpClientRequest.get(`${yield* ApiWorld.baseUrl}${path}`)
  const response = yield* HttpClient.execute(
    token === null ? request : HttpClientRequest.bearerToken(request, token)
  )
  return { status: response.status, body: yield* response.text }
})

interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const seriesOf = (body: string): ReadonlyArray<Series> =>
  body
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name = "", labels = "", value = ""] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", text = ""]) => [key, text])
      return { name, labels: Object.fromEntries(pairs), value: Number(value) }
    })

const familyOf = (name: string): string =>
  exposed.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, "")

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("Metrics", (it) => {
  it.effect("INV-OPR-7 the operator's and the scraper's token open it, and the scraper's nothing else", () =>
    Effect.gen(function* () {
      const statusOf = (path: string, token: Redacted.Redacted<string> | null) =>
        Effect.map(get(path, token), ({ status }) => status)
      assert.strictEqual(yield* statusOf("/metrics", null), 401)
      assert.strictEqual(yield* statusOf("/metrics", ApiWorld.workspaceToken), 401)
      assert.strictEqual(yield* statusOf("/metrics", ApiWorld.agentToken), 401)
      assert.strictEqual(yield* statusOf("/metrics", StarbaseProcess.operatorToken), 200)
      assert.strictEqual(yield* statusOf("/metrics", scrapeToken), 200)
      const entity = `/operator/entities/cluster/${ApiWorld.clusterId}`
      assert.strictEqual(yield* statusOf(entity, StarbaseProcess.operatorToken), 200)
      assert.strictEqual(yield* statusOf(entity, scrapeToken), 401)
    })
  )

  it.effect("counts a push that goes live and one that does not", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("counted")
      yield* clone.commit({ app: "1" })
      assert.strictEqual((yield* clone.run("push", remote, "main")).status, 0)
      const commit = yield* clone.commit({ app: "2" })
      builds.fail(commit, "npm ci ended with status 1")
      assert.strictEqual((yield* clone.run("push", remote, "main")).status, 1)

      const { body } = yield* get("/metrics", scrapeToken)
      const series = seriesOf(body)
      const valueOf = (name: string, labels: Record<string, string> = {}) =>
        series.find((one) => one.name === name && JSON.stringify(one.labels) === JSON.stringify(labels))
          ?.value
      const accepted = { entity: "App", command: "AcceptPush", outcome: "ok" }
      assert.strictEqual(valueOf("starbase_commands_total", accepted), 2)
      assert.strictEqual(valueOf("starbase_deploys_ended_total", { phase: "deployed", code: "none" }), 1)
      assert.strictEqual(
        valueOf("starbase_deploys_ended_total", { phase: "failed", code: "InstallFailed" }),
        1
      )
      assert.strictEqual(valueOf("starbase_deploy_phase_duration_seconds_count", { phase: "building" }), 2)
      assert.isAbove(valueOf("starbase_pulls_total", { answer: "delta" }) ?? 0, 0)
      assert.isAbove(valueOf("starbase_journal_append_duration_seconds_count") ?? 0, 5)
      assert.isAbove(valueOf("effect_cluster_entities", { type: "App" }) ?? 0, 0)
      assert.strictEqual(valueOf("starbase_shards_owned", { group: "builds" }), shardsPerGroup)
      assert.strictEqual(valueOf("starbase_postgres_up"), 1)
      assert.isAbove(valueOf("process_resident_memory_bytes") ?? 0, 1e7)
      assert.isAtLeast(valueOf("starbase_requests_in_hand") ?? 0, 1)
    })
  )

  it.effect("INV-MET-1 no series names a tenant, and none is there that is not declared", () =>
    Effect.gen(function* () {
      const { body } = yield* get("/metrics", scrapeToken)
      for (const text of [ApiWorld.workspaceId, ApiWorld.clusterId, "acme", "counted", "shop"]) {
        assert.notInclude(body, text)
      }
      for (const { name, labels } of seriesOf(body)) {
        const own = Object.keys(labels).filter((label) => label !== "le")
        assert.deepStrictEqual(own, [...(exposed.get(familyOf(name)) ?? ["undeclared"])], name)
      }
      const types = new Map(
        [...body.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = "", type = ""]) => [name, type])
      )
      for (const { name, type } of MetricsPage.read()) {
        if (types.has(name)) assert.strictEqual(types.get(name), type, name)
      }
      assert.isAbove(types.size, 20)
    })
  )

  it.effect("docs/metrics.md names what is exposed, with its labels", () =>
    Effect.sync(() => {
      assert.deepStrictEqual(
        MetricsPage.read().map(({ name, labels }) => [name, labels]),
        [...exposed].map(([name, labels]) => [name, [...labels]])
      )
    })
  )
})
