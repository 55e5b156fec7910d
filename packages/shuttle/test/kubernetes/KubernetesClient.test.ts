import { assert, describe, it } from "@effect/vitest"
import * as KubernetesClient from "@starform/shuttle/kubernetes/KubernetesClient"
import * as KubernetesConnection from "@starform/shuttle/kubernetes/KubernetesConnection"
import { apiVersionOf, type ResourceKind, watchedKinds } from "@starform/shuttle/kubernetes/ResourceKind"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import * as Tenure from "@starform/shuttle/leadership/Tenure"
import { Context, Duration, Effect, Layer, Redacted, Stream } from "effect"
import { type Answer, json, scriptedServer, silence } from "../fixtures/ScriptedServer.ts"

const requesting = Effect.fnUntraced(function* (
  answers: ReadonlyArray<Answer>,
  tenure: Layer.Layer<Tenure.Tenure> = Tenure.layerAlone
) {
  const server = yield* scriptedServer(answers)
  const context = yield* Layer.build(
    KubernetesClient.layer.pipe(
      Layer.provide(tenure),
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

  const manifest = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a", namespace: "ns", labels: {}, annotations: {} }
  } as const
  const reference = { kind: "ConfigMap", namespace: "ns", name: "a" } as const

  /** Leads for so many looks; each write looks when its turn comes, and when it is about to be put on its connection. */
  const leading = (looks: number, left = Duration.seconds(5)) => {
    let looked = 0
    return Layer.succeed(Tenure.Tenure)({
      isElected: true,
      mayWrite: () => ++looked <= looks,
      left: () => left,
      whileLeading: () => Effect.never,
      isAble: Effect.succeed(true)
    })
  }

  it.live("INV-LEA-2 sends no write of one that does not lead, and its reads", () =>
    Effect.gen(function* () {
      const { client, server } = yield* requesting([json(200, { metadata })], leading(0))
      const writes = [
        client.apply(manifest, true),
        client.applyFields({ ...reference, uid: "uid-a" }, {}, "m"),
        client.remove(reference, "uid-a")
      ]
      for (const write of writes) {
        const error = yield* Effect.flip(write as Effect.Effect<unknown, { readonly _tag: string }>)
        assert.strictEqual(error._tag, "NotLeading")
      }
      yield* client.get(reference)
      assert.deepStrictEqual(
        server.received.map(({ method }) => method),
        ["GET"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("INV-LEA-2 looks once more when the write is about to be put on its connection", () =>
    Effect.gen(function* () {
      const { client, server } = yield* requesting([json(200, { metadata })], leading(1))
      assert.strictEqual((yield* Effect.flip(client.apply(manifest, false)))._tag, "NotLeading")
      assert.isEmpty(server.received)
    }).pipe(Effect.scoped)
  )

  it.live("INV-LEA-2 looks again before a write that the server's load postponed", () =>
    Effect.gen(function* () {
      const { client, server } = yield* requesting(
        [json(429, { kind: "Status" }, { "retry-after": "0" }), json(200, { metadata })],
        leading(2)
      )
      assert.strictEqual((yield* Effect.flip(client.apply(manifest, false)))._tag, "NotLeading")
      assert.strictEqual(server.received.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("INV-LEA-2 gives a write up when another agent may lead", () =>
    Effect.gen(function* () {
      const { client, server } = yield* requesting([silence], leading(2, Duration.millis(50)))
      assert.strictEqual((yield* Effect.flip(client.apply(manifest, false)))._tag, "KubernetesUnreachable")
      assert.strictEqual(server.received.length, 1)
    }).pipe(Effect.scoped)
  )
})
