import { assert, describe, it } from "@effect/vitest"
import { ClusterObjects } from "@starform/launchpad/kubernetes/ClusterObjects"
import { Duration, Effect, type Layer, type Scope } from "effect"
import * as process from "node:process"
import {
  abruptScript,
  ask,
  createApp,
  deploymentOf,
  ensureNamespace,
  eventually,
  isReady,
  namespace,
  objectsMemory,
  planes,
  podsOf,
  serverScript,
  settled,
  startLoad,
  updateApp
} from "./LocalCluster.ts"
import { makeFolder, writeImage } from "./PodHarness.ts"

type Services = Layer.Success<ReturnType<typeof planes>> | Layer.Success<typeof objectsMemory>

const onCluster = <A, E>(use: (folder: string) => Effect.Effect<A, E, Services | Scope.Scope>) =>
  Effect.gen(function* () {
    const folder = yield* makeFolder
    return yield* Effect.andThen(ensureNamespace, use(folder)).pipe(Effect.provide(planes(folder)))
  }).pipe(Effect.provide(objectsMemory))

describe("LocalCluster", () => {
  it.live("answers through the gateway once a Deployment, a Service and an HTTPRoute exist", () =>
    onCluster((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "one", serverScript("one"))
        yield* createApp({ name: "web", image: "one" })
        const { body } = yield* eventually("200", ask("web.localhost"), (answer) => answer.status === 200)
        assert.strictEqual((JSON.parse(body) as { version: string }).version, "one")
        const { metadata, status } = yield* settled("web")
        assert.strictEqual(metadata.annotations?.["deployment.kubernetes.io/revision"], "1")
        const conditions = status.conditions?.map(({ type, status, reason }) => [type, status, reason])
        assert.sameDeepMembers(conditions ?? [], [
          ["Available", "True", "MinimumReplicasAvailable"],
          ["Progressing", "True", "NewReplicaSetAvailable"]
        ])
      })
    )
  )

  it.live("loses no request during rolling updates under 200 requests a second", () =>
    onCluster((folder) =>
      Effect.gen(function* () {
        for (const version of ["one", "two", "three"]) {
          writeImage(folder, version, abruptScript(version))
        }
        yield* createApp({ name: "web", image: "one", replicas: 2 })
        yield* settled("web")
        const load = yield* startLoad("web.localhost", 200)
        yield* updateApp({ name: "web", image: "two", replicas: 2 })
        yield* settled("web")
        yield* updateApp({ name: "web", image: "three", replicas: 2 })
        yield* settled("web")
        yield* eventually("only three is left", podsOf("web"), (pods) => pods.length === 2)
        const count = load.versions.get("three") ?? 0
        yield* eventually(
          "more of three",
          Effect.sync(() => load.versions.get("three") ?? 0),
          (now) => now > count + 50
        )
        const result = yield* load.end
        assert.deepStrictEqual(result.failures, [])
        assert.isAbove(result.sent, 100)
      })
    )
  )

  it.live("keeps the old version serving when the new one crashes, and finds the way back", () =>
    onCluster((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "good", serverScript("good"))
        writeImage(folder, "bad", `console.error("no database"); process.exit(1)`)
        yield* createApp({ name: "web", image: "good" })
        yield* settled("web")
        const load = yield* startLoad("web.localhost", 200)
        yield* updateApp({ name: "web", image: "bad" })
        yield* eventually("crash loop", podsOf("web"), (pods) =>
          pods.some((pod) => pod.status.containerStatuses?.[0]?.state.waiting?.reason === "CrashLoopBackOff")
        )
        yield* updateApp({ name: "web", image: "good" })
        yield* settled("web")
        yield* eventually("one pod", podsOf("web"), (pods) => pods.length === 1)
        const result = yield* load.end
        assert.deepStrictEqual(result.failures, [])
        assert.deepStrictEqual([...result.versions.keys()], ["good"])
        const objects = yield* ClusterObjects
        assert.strictEqual((yield* objects.list("apps/replicasets", { namespace })).length, 2)
      })
    )
  )

  it.live("replaces a deleted pod and loses no request", () =>
    onCluster((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "one", serverScript("one"))
        yield* createApp({ name: "web", image: "one" })
        yield* settled("web")
        const objects = yield* ClusterObjects
        const load = yield* startLoad("web.localhost", 100)
        const [before] = yield* podsOf("web")
        yield* objects.remove({ resource: "pods", namespace, name: before?.metadata.name ?? "" })
        const [after] = yield* eventually(
          "replaced",
          podsOf("web"),
          (pods) => pods.length === 1 && pods.every(isReady) && pods[0]?.metadata.uid !== before?.metadata.uid
        )
        assert.notStrictEqual(after?.metadata.name, before?.metadata.name)
        assert.deepStrictEqual((yield* load.end).failures, [])
      })
    )
  )

  it.live("scales up, down and to nothing", () =>
    onCluster((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "one", serverScript("one"))
        yield* createApp({ name: "web", image: "one" })
        yield* settled("web")
        for (const replicas of [3, 1]) {
          yield* updateApp({ name: "web", image: "one", replicas })
          yield* settled("web")
          yield* eventually(`${replicas} pods`, podsOf("web"), (pods) => pods.length === replicas)
        }
        yield* updateApp({ name: "web", image: "one", replicas: 0 })
        yield* eventually("no pod", podsOf("web"), (pods) => pods.length === 0)
        const answer = yield* eventually("503", ask("web.localhost"), ({ status }) => status === 503)
        assert.strictEqual(answer.body, "The app at web.localhost runs no copies.\n")
        assert.strictEqual(answer.headers["retry-after"], "1")
      })
    )
  )

  it.live("names the wrong port in the pod's Ready condition and in an Event", () =>
    onCluster((folder) =>
      Effect.gen(function* () {
        writeImage(
          folder,
          "wrong",
          `require("node:http").createServer((q, r) => r.end()).listen(0, "0.0.0.0")`
        )
        yield* createApp({ name: "web", image: "wrong" })
        const [pod] = yield* eventually("named", podsOf("web"), (pods) =>
          pods.some((one) => one.status.conditions?.some((condition) => condition.reason === "WrongPort"))
        )
        const message = pod?.status.conditions?.find(({ type }) => type === "Ready")?.message ?? ""
        assert.match(message, /^listens on \d+, but PORT is \d+$/)
        const objects = yield* ClusterObjects
        const events = yield* eventually("event", objects.list("events", { namespace }), (all) =>
          all.some((event) => event["reason"] === "WrongPort")
        )
        assert.strictEqual(events.find((event) => event["reason"] === "WrongPort")?.["message"], message)
        const { status } = yield* deploymentOf("web")
        assert.strictEqual(status.availableReplicas ?? 0, 0)
      })
    )
  )

  it.live("restarts a killed process in place while requests wait", () =>
    onCluster((folder) =>
      Effect.gen(function* () {
        writeImage(folder, "one", serverScript("one"))
        yield* createApp({ name: "web", image: "one" })
        yield* settled("web")
        const { body } = yield* eventually("200", ask("web.localhost"), ({ status }) => status === 200)
        const load = yield* startLoad("web.localhost", 100)
        process.kill((JSON.parse(body) as { pid: number }).pid, "SIGKILL")
        const [pod] = yield* eventually(
          "restarted",
          podsOf("web"),
          (pods) => pods.every(isReady) && pods[0]?.status.containerStatuses?.[0]?.restartCount === 1
        )
        assert.strictEqual(pod?.status.phase, "Running")
        assert.deepStrictEqual((yield* load.end).failures, [])
      })
    )
  )

  it.live("names the host for which nothing is deployed", () =>
    onCluster(() =>
      Effect.gen(function* () {
        const answer = yield* ask("nobody.localhost")
        assert.strictEqual(answer.status, 404)
        assert.strictEqual(answer.body, "Nothing is deployed at nobody.localhost.\n")
      })
    )
  )

  it.live("writes nothing once everything is settled, however often it looks", () =>
    Effect.gen(function* () {
      const folder = yield* makeFolder
      writeImage(folder, "one", serverScript("one"))
      yield* Effect.gen(function* () {
        yield* ensureNamespace
        yield* createApp({ name: "web", image: "one", replicas: 2 })
        yield* settled("web")
        yield* eventually("200", ask("web.localhost"), ({ status }) => status === 200)
        const objects = yield* ClusterObjects
        const resources = [
          "apps/deployments",
          "apps/replicasets",
          "pods",
          "services",
          "discovery.k8s.io/endpointslices",
          "gateway.networking.k8s.io/gateways",
          "gateway.networking.k8s.io/httproutes",
          "nodes"
        ]
        const versions = Effect.gen(function* () {
          const all = yield* Effect.forEach(resources, (resource) => objects.list(resource))
          return all.flat().map(({ kind, metadata }) => [kind, metadata.name, metadata.resourceVersion])
        })
        yield* Effect.sleep(400)
        const before = yield* versions
        yield* Effect.sleep(600)
        assert.deepStrictEqual(yield* versions, before)
      }).pipe(Effect.provide(planes(folder, {}, { resync: Duration.millis(50) })))
    }).pipe(Effect.provide(objectsMemory))
  )

  it.live("takes up its pods in place after a restart of the node", () =>
    Effect.gen(function* () {
      const folder = yield* makeFolder
      writeImage(folder, "one", serverScript("one"))
      const before = yield* Effect.gen(function* () {
        yield* ensureNamespace
        yield* createApp({ name: "web", image: "one" })
        yield* settled("web")
        return yield* podsOf("web")
      }).pipe(Effect.provide(planes(folder)))
      const after = yield* eventually(
        "ready again",
        podsOf("web"),
        (pods) => pods.every(isReady) && pods[0]?.status.containerStatuses?.[0]?.restartCount === 1
      ).pipe(
        Effect.tap(() => eventually("200", ask("web.localhost"), ({ status }) => status === 200)),
        Effect.provide(planes(folder))
      )
      assert.deepStrictEqual(
        after.map((pod) => pod.metadata.uid),
        before.map((pod) => pod.metadata.uid)
      )
    }).pipe(Effect.provide(objectsMemory))
  )
})
