import { assert, describe, it } from "@effect/vitest"
import * as KubernetesClient from "@starform/shuttle/kubernetes/KubernetesClient"
import * as KubernetesConnection from "@starform/shuttle/kubernetes/KubernetesConnection"
import { apiVersionOf, type ResourceKind, watchedKinds } from "@starform/shuttle/kubernetes/ResourceKind"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { Context, Effect, Layer, Redacted, Stream } from "effect"
import { type Answer, json, scriptedServer } from "../fixtures/ScriptedServer.ts"

const requesting = Effect.fnUntraced(function* (answers: ReadonlyArray<Answer>) {
  const server = yield* scriptedServer(answers)
  const context = yield* Layer.build(
    KubernetesClient.layer.pipe(
      Layer.provide([
        ShuttleConfig.layerTest({}),
        KubernetesConnection.layerToken(server.url, Redacted.make("secret"))
      ])
    )
  )
  return { server, client: Context.get(context, KubernetesClient.KubernetesClient) }
})

const metadata = { name: "a", namespace: "ns", uid: "uid-a", resourceVersion: "1" }

describe("KubernetesClient", () => {
  it.live("asks for the metadata alone of what it decides nothing else on; Secrets are of that", () =>
    Effect.gen(function* () {
      const page = json(200, { metadata: { resourceVersion: "1" }, items: [] })
      const { client, server } = yield* requesting([page])
      for (const kind of watchedKinds) yield* client.list(kind, "a=b", null)
      yield* client.get({ kind: "Secret", namespace: "ns", name: "a" }).pipe(Effect.ignore)
      yield* Stream.runDrain(client.watch("Secret", "a=b", "1", () => false)).pipe(Effect.ignore)
      const whole = server.received
        .filter(({ headers }) => !(headers.accept ?? "").includes("as=PartialObjectMetadata"))
        .map(({ url }) => url.split("?")[0])
      assert.deepStrictEqual(whole, [
        "/api/v1/namespaces",
        "/api/v1/configmaps",
        "/apis/apps/v1/deployments",
        "/apis/batch/v1/cronjobs",
        "/apis/apps/v1/replicasets",
        "/apis/batch/v1/jobs",
        "/api/v1/pods"
      ])
    }).pipe(Effect.scoped)
  )

  it.live("has an apply answered in the same form, and says whether it made the object", () =>
    Effect.gen(function* () {
      const { client, server } = yield* requesting([json(201, { metadata }), json(200, { metadata })])
      const manifest = (kind: ResourceKind) => ({
        apiVersion: apiVersionOf(kind),
        kind,
        metadata: { name: "a", namespace: "ns", labels: {}, annotations: {} }
      })
      assert.isTrue((yield* client.apply(manifest("Secret"), false)).created)
      assert.isFalse((yield* client.apply(manifest("Deployment"), false)).created)
      const forms = server.received.map(({ headers }) => (headers.accept ?? "").split(",")[0])
      assert.deepStrictEqual(forms, [
        "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        "application/json"
      ])
    }).pipe(Effect.scoped)
  )

  it.live("sends a request that was refused for the server's load again, after the time that it named", () =>
    Effect.gen(function* () {
      const { client, server } = yield* requesting([
        json(429, { kind: "Status", reason: "TooManyRequests" }, { "retry-after": "1" }),
        json(200, { metadata })
      ])
      const from = performance.now()
      const object = yield* client.get({ kind: "ConfigMap", namespace: "ns", name: "a" })
      assert.strictEqual(object.uid, "uid-a")
      assert.strictEqual(server.received.length, 2)
      assert.isAtLeast(performance.now() - from, 990)
    }).pipe(Effect.scoped)
  )
})
