/** `metrics.k8s.io` as metrics-server answers it. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import { ClusterObjects } from "@starform/launchpad/kubernetes/ClusterObjects"
import { at } from "@starform/launchpad/kubernetes/kinds/TableColumn"
import { PodMetrics, type PodUse } from "@starform/launchpad/kubernetes/PodMetrics"
import { Effect, Layer } from "effect"
import { ensureNamespace, namespace } from "../runtime/LocalCluster.ts"
import { ask } from "./ApiRequests.ts"

const use = (name: string): PodUse => ({
  namespace,
  name,
  atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 600),
  windowMs: 15_000,
  containers: [{ name: "app", cpuNanos: 12_345_678, memoryBytes: 20 * 1024 * 1024 }]
})

const served = Layer.succeed(PodMetrics, { isServed: true, all: Effect.succeed([use("one"), use("two")]) })

const onCluster = <A, E>(test: Effect.Effect<A, E, Layer.Success<typeof cluster>>, metrics = served) =>
  Effect.gen(function* () {
    yield* ensureNamespace
    const objects = yield* ClusterObjects
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: "launchpad" } }
    yield* objects.create("nodes", node)
    for (const name of ["one", "two", "three"]) {
      yield* objects.create("pods", {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace, labels: { app: name } },
        spec: { containers: [{ name: "app", image: "x" }] }
      })
    }
    return yield* test
  }).pipe(Effect.provide(cluster.pipe(Layer.provide(metrics))))

const cluster = KubernetesServer.layerTest.pipe(
  Layer.provide(KubernetesServer.layerNoLogs),
  Layer.provideMerge(NodeHttpClient.layerUndici)
)

const root = "/apis/metrics.k8s.io/v1beta1"
const pods = `${root}/namespaces/${namespace}/pods`

const item = (name: string) => ({
  metadata: { name, namespace, creationTimestamp: "2026-01-02T03:04:05Z", labels: { app: name } },
  timestamp: "2026-01-02T03:04:05Z",
  window: "15s",
  containers: [{ name: "app", usage: { cpu: "12345678n", memory: "20480Ki" } }]
})

describe("metrics.k8s.io", () => {
  it.live("lists what was measured, in all namespaces or one, by labels and fields", () =>
    onCluster(
      Effect.gen(function* () {
        const list = (items: ReadonlyArray<unknown>) => ({
          kind: "PodMetricsList",
          apiVersion: "metrics.k8s.io/v1beta1",
          metadata: {},
          items
        })
        assert.deepStrictEqual((yield* ask("GET", pods)).body, list([item("one"), item("two")]))
        assert.deepStrictEqual(
          (yield* ask("GET", `${root}/pods?labelSelector=app%3Dtwo`)).body,
          list([item("two")])
        )
        const byField = `${pods}?fieldSelector=metadata.name%3Done`
        assert.deepStrictEqual((yield* ask("GET", byField)).body, list([item("one")]))
        assert.deepStrictEqual((yield* ask("GET", `${root}/namespaces/other/pods`)).body, list([]))
      })
    )
  )

  it.live("tells of one, and of the node what its pods use", () =>
    onCluster(
      Effect.gen(function* () {
        const { body } = yield* ask("GET", `${pods}/one`)
        assert.deepStrictEqual(body, {
          kind: "PodMetrics",
          apiVersion: "metrics.k8s.io/v1beta1",
          ...item("one")
        })
        const node = (yield* ask("GET", `${root}/nodes/launchpad`)).body
        assert.strictEqual(node["kind"], "NodeMetrics")
        assert.deepStrictEqual(node["usage"], { cpu: "24691356n", memory: "40960Ki" })
        const nodes = (yield* ask("GET", `${root}/nodes`)).body
        assert.strictEqual(nodes["kind"], "NodeMetricsList")
        assert.lengthOf(Object.values(nodes["items"] ?? {}), 1)
      })
    )
  )

  it.live("says what is missing: the pod, its measurement, the path; and changes nothing", () =>
    onCluster(
      Effect.gen(function* () {
        const refusal = (method: string, path: string) =>
          Effect.map(ask(method, path), ({ body, status }) => [status, body["message"]])
        assert.deepStrictEqual(yield* refusal("GET", `${pods}/none`), [404, 'pods "none" not found'])
        assert.deepStrictEqual(yield* refusal("GET", `${pods}/three`), [
          404,
          `podmetrics.metrics.k8s.io "${namespace}/three" not found`
        ])
        assert.deepStrictEqual(yield* refusal("GET", `${root}/nodes/none`), [404, 'nodes "none" not found'])
        assert.deepStrictEqual(yield* refusal("GET", `${root}/volumes`), [
          404,
          "the server could not find the requested resource"
        ])
        assert.deepStrictEqual((yield* refusal("DELETE", `${pods}/one`))[0], 405)
      })
    )
  )

  it.live("is not there when nobody measures", () =>
    onCluster(
      Effect.gen(function* () {
        const groups = (yield* ask("GET", "/apis")).body
        assert.notInclude(JSON.stringify(groups), "metrics.k8s.io")
        assert.strictEqual(at(groups, "kind"), "APIGroupList")
      }),
      Layer.succeed(PodMetrics, { isServed: false, all: Effect.succeed([]) })
    )
  )
})
