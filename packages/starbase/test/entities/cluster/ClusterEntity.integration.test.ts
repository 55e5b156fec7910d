import { randomUUID } from "node:crypto"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { Entity, ShardingConfig } from "effect/cluster"
import { ClusterId } from "@starform/domain/ids/Ids"
import * as Revision from "@starform/domain/ids/Revision"
import { Slug } from "@starform/domain/ids/Slug"
import * as ResidentClusters from "@starform/starbase/entities/ResidentClusters"
import * as ClusterBehavior from "@starform/starbase/entities/cluster/ClusterBehavior"
import { ClusterEntity } from "@starform/starbase/entities/cluster/ClusterEntity"
import { layerJournal } from "../../Postgres.ts"
import * as Specimens from "../Specimens.ts"

const { request } = Specimens
const agentTokenHash = "a".repeat(64)
const epoch = "0a0b0c0d"

const open = (clusterId: ClusterId) =>
  Effect.flatMap(
    Entity.makeTestClient(
      ClusterEntity,
      ClusterBehavior.layerNoDeps.pipe(Layer.provide(ResidentClusters.layer))
    ),
    (client) => client(clusterId)
  )

type Client = Effect.Success<ReturnType<typeof open>>

const filled = Effect.fnUntraced(function* (clusterId: ClusterId, cluster: Client) {
  const registration = { clusterId, name: Slug.make("local"), region: "here", agentTokenHash }
  yield* cluster.RegisterCluster({ ...request("register"), registration, epoch })
  yield* cluster.PutDesired({ ...request("put-1"), entry: Specimens.desiredEntry(1, 1) })
})

const services = Layer.merge(layerJournal, ShardingConfig.layer())

it.layer(services, { timeout: 60_000, excludeTestServices: true })("ClusterEntity on PostgreSQL", (it) => {
  it.effect("INV-JRN-3 writes an observed transition and what tells the app of it in one transaction", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const clusterId = ClusterId.make(randomUUID())
      const cluster = yield* open(clusterId)
      yield* filled(clusterId, cluster)
      const apps = [Specimens.observed(Specimens.desiredEntry(1, 1), "available")]
      const report = { revision: null, apps, complete: false, agentVersion: "test" }
      yield* cluster.Report({ agentTokenHash, report })
      const rows = yield* sql<{ readonly kind: string; readonly transaction: string }>`
        SELECT event->>'_tag' AS kind, xmin::text AS transaction FROM journal
        WHERE entity_id = ${clusterId} AND event->>'_tag' = 'AppObserved'
        UNION ALL SELECT effect->>'_tag', xmin::text FROM outbox WHERE entity_id = ${clusterId}`
      assert.sameMembers(
        rows.map(({ kind }) => kind),
        ["AppObserved", "TellObserved"]
      )
      assert.strictEqual(rows[0]?.transaction, rows[1]?.transaction)
    }).pipe(Effect.scoped)
  )

  it.effect("INV-CLU-7 answers an agent that another owner served what that owner had decided", () =>
    Effect.gen(function* () {
      const clusterId = ClusterId.make(randomUUID())
      const [old, young] = [yield* open(clusterId), yield* open(clusterId)]
      yield* filled(clusterId, old)
      yield* young.PutDesired({ ...request("put-2"), entry: Specimens.desiredEntry(2, 1) })
      yield* young.PutDesired({ ...request("put-3"), entry: Specimens.desiredEntry(3, 1) })
      const pull = (n: number, waitMs: number) =>
        old.AwaitDesired({ agentTokenHash, known: Revision.format({ epoch, n }), waitMs, allowDelta: true })
      assert.deepInclude(yield* pull(3, 0), { _tag: "Unchanged" })
      const parked = yield* Effect.forkChild(pull(3, 20_000), { startImmediately: true })
      yield* old.PutDesired({ ...request("put-4"), entry: Specimens.desiredEntry(1, 2) })
      const answer = yield* Fiber.join(parked)
      assert.isTrue(answer._tag === "Delta" && answer.changed.length === 1)
      assert.strictEqual(answer.revision, `${epoch}-4`)
    }).pipe(Effect.scoped)
  )
})
