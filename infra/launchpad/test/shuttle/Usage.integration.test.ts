/** What an agent says of the pods of a real API server, to a Starbase that the test scripts. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { createServer, request as forward } from "node:http"
import type { AddressInfo } from "node:net"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Controllers from "@starform/launchpad/controllers/Controllers"
import * as ControllersConfig from "@starform/launchpad/controllers/ControllersConfig"
import * as EventRecorder from "@starform/launchpad/controllers/EventRecorder"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted, type Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import * as ApiWorld from "../../../../packages/starbase/test/harness/ApiWorld.ts"
import * as StarbaseProcess from "../../../../packages/starbase/test/harness/StarbaseProcess.ts"
import { agent, cluster, clusterId, newApp, starbase, temporaryFolder, until } from "./AgentHarness.ts"

const often = { snapshotInterval: Duration.millis(50), capacityInterval: Duration.millis(50) }

const scenario = <A, E>(body: Effect.Effect<A, E, NodeServices.NodeServices | Scope.Scope>) =>
  Effect.scoped(body).pipe(Effect.provide(NodeServices.layer))

const controllers = Controllers.layerNoDeps.pipe(
  Layer.provide(EventRecorder.layerNoDeps),
  Layer.provide(ControllersConfig.layer())
)

/** Pods are made, and none of them runs. */
const clusterWithPods = Effect.gen(function* () {
  const world = yield* cluster
  yield* Layer.build(controllers).pipe(Effect.provide(world.context))
  return world
})

const sync = <A>(look: () => A) => Effect.sync(look)

describe("Usage", () => {
  it.live("tells of the pods that the cluster runs, with what they request, and how full it is", () =>
    scenario(
      Effect.gen(function* () {
        const world = yield* clusterWithPods
        const control = yield* starbase
        const app = newApp()
        control.want([app])
        yield* agent(control.url, world.proxy.url, yield* temporaryFolder, often)
        const snapshots = yield* until(
          sync(() => control.snapshots),
          (told) => told.length > 0
        )
        const pods = yield* world.person.list(`/api/v1/namespaces/${app.namespace}/pods`)
        const [snapshot] = snapshots
        const [process] = app.processes
        const [pod] = pods
        if (process === undefined || pod === undefined) return assert.fail("no process, or no pod")
        assert.deepInclude(snapshot, {
          workspaceId: app.workspaceId,
          projectId: app.projectId,
          environment: app.environment,
          serviceId: app.serviceId,
          process: process.name,
          podId: pod.metadata.uid,
          tier: "nova",
          cpuMillicores: 250,
          memoryMebibytes: 512
        })
        const capacities = yield* until(
          sync(() => control.capacities),
          (told) => told.some(({ currentPodCount }) => currentPodCount === pods.length)
        )
        assert.deepInclude(capacities.at(-1), { clusterId, softLimit: 1000 })
      })
    )
  )

  it.live("keeps snapshots while Starbase is away and its process is not, and sends each in the end", () =>
    scenario(
      Effect.gen(function* () {
        const world = yield* clusterWithPods
        const control = yield* starbase
        const app = newApp()
        control.want([app])
        const folder = yield* temporaryFolder
        const first = yield* agent(control.url, world.proxy.url, folder, often)
        yield* until(
          sync(() => control.snapshots.length),
          (told) => told > 0
        )
        control.isDown = true
        const before = control.snapshots.length
        const waiting = Effect.promise(async () => {
          const { readdir } = await import("node:fs/promises")
          return (await readdir(`${folder}/snapshots`)).filter((name) => name.endsWith(".sealed")).length
        })
        const kept = yield* until(waiting, (count) => count >= 3)
        yield* first.stop
        assert.strictEqual(control.snapshots.length, before)
        control.isDown = false
        yield* agent(control.url, world.proxy.url, folder, {
          snapshotInterval: Duration.hours(1),
          capacityInterval: Duration.hours(1)
        })
        yield* until(waiting, (count) => count === 0)
        assert.isAtLeast(control.snapshots.length - before, kept)
        const ids = new Set(control.snapshots.map(({ snapshotId }) => snapshotId))
        const minutes = new Set(control.snapshots.map((one) => `${one.podId} ${one.snapshotTimestamp}`))
        assert.strictEqual(ids.size, minutes.size)
      })
    )
  )

  it.live("counts by one object where the server says how many more there are", () =>
    scenario(
      Effect.gen(function* () {
        const world = yield* clusterWithPods
        const control = yield* starbase
        control.want([newApp(), newApp(), newApp()])
        yield* agent(control.url, world.proxy.url, yield* temporaryFolder, often)
        yield* until(
          sync(() => control.capacities.at(-1)?.currentPodCount),
          (count) => count === 3
        )
      })
    )
  )
})

/** Hands requests on; the answers to snapshots get lost for as long as `isLossy`. */
const lossyLine = (target: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const line = { url: "", isLossy: true, lost: 0, passed: 0 }
      const server = createServer((incoming, outgoing) => {
        const { headers, method, url = "/" } = incoming
        const onward = forward(`${target}${url}`, { method, headers }, (answer) => {
          if (url.endsWith("/snapshots")) {
            if (line.isLossy) {
              line.lost += 1
              answer.resume()
              return void outgoing.destroy()
            }
            line.passed += 1
          }
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          answer.pipe(outgoing)
        })
        onward.on("error", () => outgoing.destroy())
        outgoing.on("close", () => onward.destroy())
        incoming.pipe(onward)
      })
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      line.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      return { line, server }
    }),
    ({ server }) =>
      Effect.promise(async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      })
  ).pipe(Effect.map(({ line }) => line))

const realStarbase = Layer.effectDiscard(ApiWorld.setUp).pipe(
  Layer.provideMerge(StarbaseProcess.layer(ApiWorld.script)),
  Layer.provideMerge(Layer.mergeAll(FetchHttpClient.layer, NodeServices.layer))
)

it.layer(realStarbase, { timeout: Duration.seconds(60), excludeTestServices: true })(
  "Usage at Starbase",
  (it) => {
    it.effect(
      "INV-USE-1 is stored once, although answers got lost and the agent died before it heard one",
      () =>
        Effect.gen(function* () {
          const { publicUrl } = yield* StarbaseConfig
          const sql = yield* PgClient.PgClient
          const world = yield* clusterWithPods
          const line = yield* lossyLine(publicUrl)
          const folder = yield* temporaryFolder
          const start = (interval: Duration.Duration) =>
            agent(
              line.url,
              world.url,
              folder,
              { clusterId: ApiWorld.clusterId, snapshotInterval: interval, capacityInterval: interval },
              Redacted.value(ApiWorld.agentToken)
            )
          const first = yield* start(Duration.millis(100))
          yield* ApiWorld.push(1)
          const stored = Effect.orDie(
            sql<{ pod: string; minute: string }>`
              SELECT pod_id AS pod, snapshot_timestamp::text AS minute FROM usage_snapshots`
          )
          yield* until(stored, (rows) => rows.length > 0, 20_000)
          yield* until(
            Effect.sync(() => line.lost),
            (lost) => lost >= 3
          )
          yield* first.stop
          line.isLossy = false
          yield* start(Duration.hours(1))
          const waiting = Effect.promise(async () => {
            const { readdir } = await import("node:fs/promises")
            return (await readdir(`${folder}/snapshots`)).length
          })
          yield* until(waiting, (count) => count === 0)
          assert.isAtLeast(line.passed, 1)
          const rows = yield* stored
          const pods = yield* world.person.list("/api/v1/pods")
          assert.sameMembers(
            [...new Set(rows.map(({ pod }) => pod))],
            pods.map(({ metadata }) => metadata.uid)
          )
          assert.strictEqual(new Set(rows.map(({ pod, minute }) => `${pod} ${minute}`)).size, rows.length)
          const operator = yield* ApiWorld.clientOf(StarbaseProcess.operatorToken)
          const { capacity } = yield* operator.GetCluster({ clusterId: ApiWorld.clusterId })
          assert.strictEqual(capacity?.softLimit, 1000)
        })
    )
  }
)
