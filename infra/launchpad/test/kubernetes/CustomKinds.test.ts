/** A kind that a real cluster gets from a CustomResourceDefinition; the wording is that of the recorded custom kind. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import { Effect, Layer } from "effect"
import { send } from "./conformance/Replay.ts"

const emptyCluster = KubernetesServer.layerTest.pipe(
  Layer.provide(KubernetesServer.layerNoLogs),
  Layer.provideMerge(NodeHttpClient.layerUndici)
)

const routes = "/apis/gateway.networking.k8s.io/v1/namespaces/demo/httproutes"

const route = (spec: Readonly<Record<string, unknown>>) => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: { name: "web", namespace: "demo" },
  spec: { parentRefs: [{ name: "public" }], ...spec }
})

interface Answered {
  readonly message?: string
  readonly metadata: { readonly generation?: number; readonly resourceVersion?: string }
  readonly spec: Readonly<Record<string, unknown>>
  readonly status: unknown
  readonly items: ReadonlyArray<{ readonly kind?: string }>
}

const ask = Effect.fnUntraced(function* (
  method: string,
  path: string,
  body?: unknown,
  contentType = "application/json"
) {
  const response = yield* send({ method, path, headers: { "content-type": contentType }, body })
  return {
    status: response.status,
    warning: response.headers["warning"],
    body: (yield* response.json) as unknown as Answered
  }
})

const inNamespace = <A, E, R>(use: Effect.Effect<A, E, R>) =>
  ask("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "demo" } }).pipe(
    Effect.andThen(use),
    Effect.provide(emptyCluster)
  )

describe("a custom kind", () => {
  it.live("leaves out a field that its definition does not have, and warns", () =>
    inNamespace(
      Effect.gen(function* () {
        const created = yield* ask("POST", routes, route({ colour: "red" }))
        assert.strictEqual(created.status, 201)
        assert.strictEqual(created.warning, `299 - "unknown field \\"spec.colour\\""`)
        assert.notProperty(created.body.spec, "colour")
        const strict = yield* ask("POST", `${routes}?fieldValidation=Strict`, route({ colour: "red" }))
        assert.strictEqual(strict.status, 400)
        assert.match(strict.body.message ?? "", /strict decoding error: unknown field "spec.colour"/)
      })
    )
  )

  it.live("refuses values outside its definition, each with its field", () =>
    inNamespace(
      Effect.gen(function* () {
        const refused = yield* ask(
          "POST",
          routes,
          route({
            rules: [
              { backendRefs: [{ name: "web", port: 70_000 }, {}] },
              { filters: [{ type: "RequestRedirect", requestRedirect: { statusCode: 299 } }] }
            ]
          })
        )
        assert.strictEqual(refused.status, 422)
        const message = refused.body.message ?? ""
        assert.include(message, `HTTPRoute.gateway.networking.k8s.io "web" is invalid`)
        assert.include(
          message,
          "spec.rules[0].backendRefs[0].port in body should be less than or equal to 65535"
        )
        assert.include(message, "spec.rules[0].backendRefs[1].name: Required value")
        assert.include(message, "spec.rules[1].filters[0].requestRedirect.statusCode: Unsupported value: 299")
        const accepted = yield* ask(
          "POST",
          routes,
          route({ rules: [{ filters: [{ type: "RequestRedirect", requestRedirect: { statusCode: 301 } }] }] })
        )
        assert.strictEqual(accepted.status, 201, accepted.body.message)
      })
    )
  )

  it.live("knows no strategic merge", () =>
    inNamespace(
      Effect.gen(function* () {
        yield* ask("POST", routes, route({}))
        const refused = yield* ask(
          "PATCH",
          `${routes}/web`,
          { spec: {} },
          "application/strategic-merge-patch+json"
        )
        assert.strictEqual(refused.status, 415)
        assert.strictEqual(
          refused.body.message,
          "the body of the request was in an unknown format - accepted media types include: " +
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        )
      })
    )
  )

  it.live("counts changes of spec only, and its status writes nothing else (INV-API-K5)", () =>
    inNamespace(
      Effect.gen(function* () {
        const merge = "application/merge-patch+json"
        const created = yield* ask("POST", routes, route({ hostnames: ["a.example.com"] }))
        const labelled = yield* ask("PATCH", `${routes}/web`, { metadata: { labels: { a: "b" } } }, merge)
        assert.strictEqual(labelled.body.metadata.generation, 1)
        const parent = { parentRef: { name: "public" }, controllerName: "starform.io/gateway" }
        const empty = { status: { parents: [{ ...parent, conditions: [] }] } }
        const refused = yield* ask("PATCH", `${routes}/web/status`, empty, merge)
        assert.strictEqual(refused.status, 422)
        assert.include(refused.body.message ?? "", "conditions in body should have at least 1 items")
        const condition = {
          type: "Accepted",
          status: "True",
          reason: "Accepted",
          message: "",
          lastTransitionTime: "2026-01-01T00:00:00Z"
        }
        const parents = [{ ...parent, conditions: [condition] }]
        const through = {
          metadata: { annotations: { x: "y" } },
          spec: { hostnames: ["b.example.com"] },
          status: { parents }
        }
        const written = yield* ask("PATCH", `${routes}/web/status`, through, merge)
        assert.strictEqual(written.status, 200, written.body.message)
        assert.deepStrictEqual(written.body.spec, created.body.spec)
        assert.notProperty(written.body.metadata, "annotations")
        assert.strictEqual(written.body.metadata.generation, 1)
        const changed = yield* ask(
          "PATCH",
          `${routes}/web`,
          { spec: { hostnames: ["b.example.com"] }, status: null },
          merge
        )
        assert.strictEqual(changed.body.metadata.generation, 2)
        assert.deepStrictEqual(changed.body.status, written.body.status)
        const listed = yield* ask("GET", routes)
        assert.deepStrictEqual(
          listed.body.items.map(({ kind }) => kind),
          ["HTTPRoute"]
        )
      })
    )
  )
})
