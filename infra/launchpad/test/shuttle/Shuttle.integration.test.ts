import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { ProcessName } from "@starform/domain/ids/Slug"
import { Duration, Effect, type FileSystem, type Scope } from "effect"
import {
  agent,
  cluster,
  contents,
  newApp,
  nextDeploy,
  starbase,
  temporaryFolder,
  tombstoneOf,
  until,
  type WireObject
} from "./AgentHarness.ts"
import { isReal } from "./ClusterUnderTest.ts"

const live = <A, E>(effect: Effect.Effect<A, E, Scope.Scope | FileSystem.FileSystem>) =>
  Effect.scoped(effect).pipe(Effect.provide(NodeServices.layer))

const objectsPerApp = 5
/** Account, role and its binding, two policies of one environment, quota, limits, inventory. */
const objectsPerProject = 8

const setUp = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const world = yield* cluster
  const base = yield* starbase
  const start = agent(base.url, world.proxy.url, folder)
  const all = (app: DesiredApp) => contents(world.person, app.namespace)
  /** Made, and its inventory complete. */
  const made = (app: DesiredApp, count = objectsPerProject + objectsPerApp) =>
    until(
      all(app),
      (objects) =>
        objects.size === count &&
        [...objects.values()].some(
          (object) => object.data?.["inventory.json"]?.includes('null,"appId":"') === false
        )
    )
  return { ...world, base, start, all, made, folder }
})

const find = <Path extends string>(objects: ReadonlyMap<Path, unknown>, part: string): Path => {
  const path = [...objects.keys()].find((key) => key.includes(part))
  if (path === undefined) throw new Error(`no ${part} among ${[...objects.keys()].join(", ")}`)
  return path
}

/** What changes with everything but a status: those of a cluster whose controllers run change by themselves. */
const written = ({ generation, managedFields = [], uid }: WireObject["metadata"]): string =>
  JSON.stringify([uid, generation, managedFields.filter(({ subresource }) => subresource !== "status")])

/** No write for as long as three full passes take. */
const quiet = (writes: ReadonlyArray<unknown>) =>
  Effect.gen(function* () {
    let seen = -1
    while (seen !== writes.length) {
      seen = writes.length
      yield* Effect.sleep(100)
    }
    return seen
  })

describe("Shuttle on an API server", () => {
  it.live("makes an app from nothing, in waves", () =>
    live(
      Effect.gen(function* () {
        const { base, made, proxy, start } = yield* setUp
        yield* start
        yield* until(
          Effect.sync(() => base.reports.length),
          (count) => count > 0
        )
        const app = newApp()
        base.want([app])
        const objects = yield* made(app)
        const order = proxy.writes.map(({ line }) => line.split("/").at(-2))
        const position = (plural: string) => order.indexOf(plural)
        assert.strictEqual(position("namespaces"), 0)
        for (const [earlier, later] of [
          ["serviceaccounts", "secrets"],
          ["secrets", "deployments"],
          ["deployments", "services"],
          ["services", "httproutes"]
        ] as const) {
          assert.isBelow(position(earlier), position(later), `${earlier} before ${later}`)
        }
        for (const object of objects.values()) {
          assert.strictEqual(object.metadata.labels?.["starform.io/managed-by"], "shuttle")
        }
        assert.isTrue(proxy.writes.every(({ line }) => line.startsWith("PATCH")))
      })
    )
  )

  it.live("writes nothing when nothing has to change, also on the next full pass and after a restart", () =>
    live(
      Effect.gen(function* () {
        const { all, base, folder, made, proxy } = yield* setUp
        const first = yield* agent(base.url, proxy.url, folder, { reconcileInterval: Duration.millis(50) })
        const app = newApp()
        base.want([app])
        yield* made(app)
        const before = yield* quiet(proxy.writes)
        yield* Effect.sleep(300)
        assert.strictEqual(proxy.writes.length, before)
        const versions = (objects: ReadonlyMap<string, WireObject>) =>
          [...objects].map(
            ([path, { metadata }]) => `${path} ${isReal ? written(metadata) : metadata.resourceVersion}`
          )
        const known = versions(yield* all(app))
        yield* first.stop
        yield* agent(base.url, proxy.url, folder)
        yield* until(
          Effect.sync(() => proxy.writes.length),
          (count) => count > before
        )
        yield* quiet(proxy.writes)
        assert.deepStrictEqual(versions(yield* all(app)), known)
      })
    )
  )

  it.live("takes a new deploy, and removes the Deployment of a process that is gone", () =>
    live(
      Effect.gen(function* () {
        const { all, base, made, start } = yield* setUp
        yield* start
        const [web] = newApp().processes
        const worker = { ...web!, name: ProcessName.make("worker"), containerPort: null }
        const app = { ...newApp(), processes: [web!, worker] }
        base.want([app])
        yield* made(app, objectsPerProject + objectsPerApp + 1)
        const next = nextDeploy(app, { processes: [web!] })
        base.want([next])
        const objects = yield* made(next)
        const deployment = objects.get(find(objects, "deployments/"))!
        assert.strictEqual(deployment.metadata.annotations?.["starform.io/deploy-ordinal"], "2")
        assert.include(JSON.stringify(deployment.spec), next.image)
        assert.strictEqual((yield* all(app)).size, objectsPerProject + objectsPerApp)
      })
    )
  )

  it.live("repairs a deleted object within two seconds", () =>
    live(
      Effect.gen(function* () {
        const { all, base, made, person, start } = yield* setUp
        yield* start
        const app = newApp()
        base.want([app])
        const before = yield* made(app)
        for (const plural of ["deployments/", "services/", "httproutes/", "secrets/"]) {
          const path = find(before, plural)
          yield* person.call("DELETE", path)
          const uid = before.get(path)!.metadata.uid
          yield* until(
            all(app),
            (objects) => objects.has(path) && objects.get(path)!.metadata.uid !== uid,
            2000
          )
        }
      })
    )
  )

  it.live(
    "repairs an edited object, whether updated or applied by force, and keeps fields that others added",
    () =>
      live(
        Effect.gen(function* () {
          const { all, base, made, person, start } = yield* setUp
          yield* start
          const app = newApp()
          base.want([app])
          const path = find(yield* made(app), "deployments/")
          const replicas = Effect.map(all(app), (objects) => objects.get(path)?.spec?.["replicas"])

          yield* person.call(
            "PATCH",
            `${path}?fieldManager=kubectl-edit`,
            { spec: { replicas: 7 } },
            "application/merge-patch+json"
          )
          yield* until(replicas, (count) => count === 1, 2000)

          const forced = {
            apiVersion: "apps/v1",
            kind: "Deployment",
            metadata: { name: path.split("/").at(-1) },
            spec: { replicas: 9 }
          }
          yield* person.call(
            "PATCH",
            `${path}?fieldManager=other&force=true`,
            forced,
            "application/apply-patch+yaml"
          )
          yield* until(replicas, (count) => count === 1, 2000)

          yield* person.call(
            "PATCH",
            path,
            { metadata: { annotations: { "example.com/note": "kept" } } },
            "application/merge-patch+json"
          )
          yield* person.call(
            "PATCH",
            path,
            { metadata: { labels: { "starform.io/managed-by": null } } },
            "application/merge-patch+json"
          )
          const repaired = yield* until(
            Effect.map(all(app), (objects) => objects.get(path)!),
            (object) => object.metadata.labels?.["starform.io/managed-by"] === "shuttle",
            2000
          )
          assert.strictEqual(repaired.metadata.annotations?.["example.com/note"], "kept")
        })
      )
  )

  it.live("removes exactly a tombstoned app, and reports its absence only then", () =>
    live(
      Effect.gen(function* () {
        const { all, base, made, start } = yield* setUp
        yield* start
        const gone = newApp()
        const stays = newApp(gone)
        base.want([gone, stays])
        yield* made(stays, objectsPerProject + 2 * objectsPerApp)
        const tombstone = tombstoneOf(gone)
        base.want([stays], [tombstone])
        const left = yield* until(all(stays), (objects) => objects.size === objectsPerProject + objectsPerApp)
        for (const object of left.values()) {
          assert.notStrictEqual(object.metadata.annotations?.["starform.io/app-id"], gone.appId)
        }
        const status = yield* until(
          Effect.sync(() => base.statuses.get(gone.appId)),
          (seen) => seen?.phase === "absent"
        )
        assert.strictEqual(status?.ordinal, tombstone.ordinal)
        base.want([stays])
        yield* until(all(stays), (objects) => objects.size === objectsPerProject + objectsPerApp)
      })
    )
  )

  it.live("removes nothing that a document merely leaves out", () =>
    live(
      Effect.gen(function* () {
        const { all, base, made, proxy, start } = yield* setUp
        yield* start
        const app = newApp()
        base.want([app])
        yield* made(app)
        base.want([])
        yield* until(
          Effect.sync(() => base.reports.at(-1)?.revision),
          (revision) => revision === "00000001-2"
        )
        yield* quiet(proxy.writes)
        assert.strictEqual((yield* all(app)).size, objectsPerProject + objectsPerApp)
      })
    )
  )

  it.live("leaves somebody else's object of a wanted name alone, says so, and serves its neighbour", () =>
    live(
      Effect.gen(function* () {
        const { all, base, made, person, proxy, start } = yield* setUp
        const running = yield* start
        const app = newApp()
        base.want([app])
        const path = find(yield* made(app), "/services/")
        yield* running.stop
        const name = path.split("/").at(-1)
        yield* person.call("DELETE", path)
        yield* person.call("POST", path.slice(0, path.lastIndexOf("/")), {
          apiVersion: "v1",
          kind: "Service",
          metadata: { name, labels: { owner: "somebody" } },
          spec: { ports: [{ port: 9999 }] }
        })
        const foreign = (yield* all(app)).get(path)!
        yield* start
        const neighbour = newApp(app)
        base.want([nextDeploy(app), neighbour])
        const status = yield* until(
          Effect.sync(() => base.statuses.get(app.appId)),
          (seen) => seen?.phase === "failed"
        )
        assert.strictEqual(status?.reason?.code, "ForeignObject")
        assert.include(status?.reason?.message, name)
        yield* until(all(app), (objects) => objects.size === objectsPerProject + 2 * objectsPerApp)
        yield* quiet(proxy.writes)
        base.want([neighbour], [tombstoneOf(nextDeploy(app))])
        yield* until(
          Effect.sync(() => base.statuses.get(app.appId)),
          (seen) => seen?.phase === "absent"
        )
        assert.strictEqual(
          (yield* all(app)).get(path)?.metadata.resourceVersion,
          foreign.metadata.resourceVersion
        )
      })
    )
  )

  it.live("goes on watching after every connection was cut", () =>
    live(
      Effect.gen(function* () {
        const { all, base, made, person, proxy, start } = yield* setUp
        yield* start
        const app = newApp()
        base.want([app])
        const path = find(yield* made(app), "deployments/")
        for (let round = 0; round < 3; round++) {
          const watches = proxy.watches.length
          proxy.cut()
          yield* until(
            Effect.sync(() => proxy.watches.length),
            (count) => count >= watches + 9
          )
          const uid = (yield* all(app)).get(path)!.metadata.uid
          yield* person.call("DELETE", path)
          yield* until(
            all(app),
            (objects) => objects.has(path) && objects.get(path)!.metadata.uid !== uid,
            2000
          )
        }
        assert.isTrue(proxy.watches.every((url) => url.includes("resourceVersion=")))
      })
    )
  )

  it.live("goes on healing after a restart while Starbase is gone, and prunes nothing", () =>
    live(
      Effect.gen(function* () {
        const { all, base, folder, made, person, proxy, start } = yield* setUp
        const running = yield* start
        const app = newApp()
        const waiting = newApp(app)
        base.want([app, waiting])
        yield* made(app, objectsPerProject + 2 * objectsPerApp)
        base.want([app], [tombstoneOf(waiting)], { epoch: "00000002", epochConfirmed: false })
        yield* until(
          Effect.sync(() => base.reports.at(-1)?.revision),
          (revision) => revision === base.revision()
        )
        const own = new Map(
          [...(yield* all(app))].filter(
            ([, { metadata }]) => metadata.annotations?.["starform.io/app-id"] === app.appId
          )
        )
        const [path, service] = [find(own, "/deployments/"), find(own, "/services/")]
        yield* running.stop
        base.isDown = true
        yield* person.call("DELETE", path)
        const alone = yield* agent(base.url, proxy.url, folder, { reconcileInterval: Duration.millis(50) })
        yield* until(all(app), (objects) => objects.has(path))
        yield* person.call("DELETE", service)
        yield* until(all(app), (objects) => objects.has(service), 2000)
        const since = performance.timeOrigin + performance.now()
        yield* until(
          Effect.map(alone.tasks, (tasks) => tasks.get(app.namespace)?.startedAtMs ?? 0),
          (startedAtMs) => startedAtMs > since
        )
        assert.strictEqual((yield* all(app)).size, objectsPerProject + 2 * objectsPerApp)
        assert.isTrue(proxy.writes.every(({ line }) => !line.startsWith("DELETE")))
        base.reports.length = 0
        base.isDown = false
        yield* until(
          Effect.sync(() => base.reports.at(-1)?.revision),
          (revision) => revision === base.revision()
        )
      })
    )
  )
})
