import { randomUUID } from "node:crypto"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Latch, Layer, Option } from "effect"
import * as AppId from "@starform/domain/ids/AppId"
import { ClusterId, ProjectId, ServiceId } from "@starform/domain/ids/Ids"
import { EnvironmentName } from "@starform/domain/ids/Slug"
import * as JournalSchema from "@starform/starbase/journal/JournalSchema"
import { UsageStore } from "@starform/starbase/usage/UsageStore"
import * as UsageStorePostgres from "@starform/starbase/usage/UsageStorePostgres"
import { layerClient } from "../Postgres.ts"
import { snapshotOf, withOwnId } from "./Snapshots.ts"

const workspaceId = "0198c0de-0000-7000-8000-0000000000aa"
const now = Date.now()

/** What happens when Starbase's clock says so. */
const at = <A, E, R>(atMs: number, effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Clock.Clock, (clock) => {
    const told = { currentTimeMillisUnsafe: () => atMs, currentTimeMillis: Effect.succeed(atMs) }
    return Effect.provideService(effect, Clock.Clock, Object.assign(Object.create(clock), told))
  })

const newCluster = () => ClusterId.make(randomUUID())

/** An app that is that cluster's, as its App entity writes it. */
const newApp = Effect.fnUntraced(function* (clusterId: ClusterId) {
  const sql = yield* PgClient.PgClient
  const key = {
    projectId: ProjectId.make(randomUUID()),
    environment: EnvironmentName.make("production"),
    serviceId: ServiceId.make(randomUUID())
  }
  const appId = AppId.format(key)
  const row = JSON.stringify({ identity: { appId, clusterId, workspaceId } })
  yield* sql`INSERT INTO read_models (model, key, parent, entity_type, entity_id, row)
    VALUES ('app', ${appId}, ${key.projectId}, 'App', ${appId}, ${row}::text::jsonb)`
  return key
})

const rowsOf = Effect.fnUntraced(function* (clusterId: ClusterId) {
  const sql = yield* PgClient.PgClient
  return yield* sql<{ pod_id: string; cpu_millicores: number; workspace_id: string }>`
    SELECT pod_id, cpu_millicores, workspace_id::text FROM usage_snapshots WHERE cluster_id = ${clusterId}::uuid`
})

const layer = UsageStorePostgres.layer({
  statementsMax: 1,
  batchesMax: 2,
  deadline: Duration.seconds(1)
}).pipe(Layer.provideMerge(JournalSchema.layer), Layer.provideMerge(layerClient))

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("UsageStore", (it) => {
  it.effect("INV-USE-1 stores each snapshot once when delivered twice, in batches that overlap", () =>
    Effect.gen(function* () {
      const store = yield* UsageStore
      const clusterId = newCluster()
      const app = yield* newApp(clusterId)
      const pods = Array.from({ length: 5 }, () => snapshotOf(app, workspaceId, { atMs: now }))
      const first = yield* store.storeSnapshots(clusterId, pods.slice(0, 3))
      assert.deepStrictEqual(first, { stored: 3, repeated: 0, refused: 0 })
      const second = yield* store.storeSnapshots(clusterId, [...pods, ...pods])
      assert.deepStrictEqual(second, { stored: 2, repeated: 8, refused: 0 })
      const rows = yield* rowsOf(clusterId)
      assert.sameMembers(
        rows.map(({ pod_id }) => pod_id),
        pods.map(({ podId }) => podId)
      )
      assert.deepStrictEqual([rows[0]?.cpu_millicores, rows[0]?.workspace_id], [250, workspaceId])
    })
  )

  it.effect(
    "INV-USE-2 refuses what is another cluster's, another workspace's or nobody's, and stores the rest",
    () =>
      Effect.gen(function* () {
        const store = yield* UsageStore
        const clusterId = newCluster()
        const own = snapshotOf(yield* newApp(clusterId), workspaceId, { atMs: now })
        const foreign = yield* newApp(newCluster())
        const receipt = yield* store.storeSnapshots(clusterId, [
          snapshotOf(foreign, workspaceId, { atMs: now }),
          snapshotOf({ ...foreign, projectId: ProjectId.make(randomUUID()) }, workspaceId, { atMs: now }),
          { ...own, workspaceId: snapshotOf(foreign, randomUUID(), { atMs: now }).workspaceId },
          own
        ])
        assert.deepStrictEqual(receipt, { stored: 1, repeated: 0, refused: 3 })
        assert.deepStrictEqual(
          (yield* rowsOf(clusterId)).map(({ pod_id }) => pod_id),
          [own.podId]
        )
      })
  )

  it.effect("INV-USE-3 refuses an id that is not its own, and minutes that are too old or yet to come", () =>
    Effect.gen(function* () {
      const store = yield* UsageStore
      const clusterId = newCluster()
      const app = yield* newApp(clusterId)
      const of = (ms: number) => snapshotOf(app, workspaceId, { atMs: now + ms })
      const own = of(0)
      const day = 24 * 3_600_000
      const receipt = yield* store.storeSnapshots(clusterId, [
        { ...own, snapshotId: of(0).snapshotId },
        of(-7 * day - 60_000),
        of(12 * 60_000),
        of(-6 * day),
        of(9 * 60_000)
      ])
      assert.deepStrictEqual(receipt, { stored: 2, repeated: 0, refused: 3 })
      const { snapshotId: _, ...said } = own
      assert.deepStrictEqual(withOwnId(said), own)
    })
  )

  it.effect("keeps a cluster's capacity at most every 30 s", () =>
    Effect.gen(function* () {
      const store = yield* UsageStore
      const clusterId = newCluster()
      const put = (atMs: number, currentPodCount: number) =>
        at(atMs, store.putCapacity({ clusterId, currentPodCount, softLimit: 1000 }))
      assert.isTrue(Option.isNone(yield* store.capacityOf(clusterId)))
      yield* put(now, 1)
      yield* put(now + 29_999, 2)
      const kept = { currentPodCount: 1, softLimit: 1000, atMs: now }
      assert.deepStrictEqual({ ...Option.getOrThrow(yield* store.capacityOf(clusterId)) }, kept)
      yield* put(now + 30_000, 3)
      const newer = { currentPodCount: 3, softLimit: 1000, atMs: now + 30_000 }
      assert.deepStrictEqual({ ...Option.getOrThrow(yield* store.capacityOf(clusterId)) }, newer)
    })
  )

  it.effect(
    "takes one batch of a cluster at a time, and no more than it may hold; what took too long is unknown",
    () =>
      Effect.gen(function* () {
        const store = yield* UsageStore
        const sql = yield* PgClient.PgClient
        const clusters = [newCluster(), newCluster(), newCluster()] as const
        const batches = yield* Effect.forEach(clusters, (clusterId) =>
          Effect.map(newApp(clusterId), (app) =>
            store.storeSnapshots(clusterId, [snapshotOf(app, workspaceId)])
          )
        )
        const [first, second, third] = batches
        if (first === undefined || second === undefined || third === undefined) throw new Error("three")
        const locked = yield* Latch.make()
        const enough = yield* Latch.make()
        const lock = sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`LOCK TABLE usage_snapshots IN ACCESS EXCLUSIVE MODE`
            yield* locked.open
            yield* enough.await
          })
        )
        const holder = yield* Effect.forkChild(lock)
        yield* locked.await
        const waiting = yield* Effect.forkChild(Effect.flip(first), { startImmediately: true })
        assert.strictEqual((yield* Effect.flip(first))._tag, "Overloaded")
        const queued = yield* Effect.forkChild(Effect.flip(second), { startImmediately: true })
        assert.strictEqual((yield* Effect.flip(third))._tag, "Overloaded")
        assert.strictEqual((yield* Fiber.join(waiting))._tag, "Unavailable")
        assert.strictEqual((yield* Fiber.join(queued))._tag, "Unavailable")
        yield* enough.open
        yield* Fiber.join(holder)
        for (const [index, batch] of batches.entries()) {
          const { stored, repeated } = yield* batch
          assert.strictEqual(stored + repeated, 1, `batch ${index}`)
        }
      })
  )
})
