import { randomUUID } from "node:crypto"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { Entity, ShardingConfig } from "effect/cluster"
import { DeployId } from "@starform/domain/ids/Ids"
import * as AppBehavior from "@starform/starbase/entities/app/AppBehavior"
import { AppEntity, type AppIdentity, AppState } from "@starform/starbase/entities/app/AppEntity"
import { Journal } from "@starform/starbase/journal/Journal"
import { snapshotEveryEvents } from "@starform/starbase/journal/JournalSettings"
import * as JournalPostgres from "@starform/starbase/journal/JournalPostgres"
import * as JournalSchema from "@starform/starbase/journal/JournalSchema"
import { freshDatabase } from "../../Postgres.ts"
import { type Cut, cutWire } from "../CutWire.ts"
import * as Specimens from "../Specimens.ts"

class DatabaseUrl extends Context.Service<DatabaseUrl, Redacted.Redacted<string>>()(
  "@starform/starbase/test/DatabaseUrl"
) {}

const journalAt = (url: Redacted.Redacted<string>) =>
  Layer.fresh(JournalPostgres.layer).pipe(Layer.provideMerge(PgClient.layer({ url, maxConnections: 4 })))

/** One database for the file; each test has an app of its own. */
const services = Layer.unwrap(
  Effect.map(freshDatabase, (url) =>
    JournalSchema.layer.pipe(
      Layer.provideMerge(journalAt(url)),
      Layer.merge(Layer.succeed(DatabaseUrl, url)),
      Layer.merge(ShardingConfig.layer())
    )
  )
)

/** An incarnation with nothing in memory, as on a runner that has just got the shard. */
const open = (identity: AppIdentity) =>
  Effect.flatMap(Entity.makeTestClient(AppEntity, AppBehavior.layerNoDeps), (client) =>
    client(identity.appId)
  )

const { request } = Specimens
const freshDeploy = () => DeployId.make(randomUUID())
const keyOf = ({ appId }: AppIdentity) => ({ type: "App", id: appId })

const sequences = (identity: AppIdentity) =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const events = yield* journal.read(keyOf(identity), 0, 1000)
    assert.deepStrictEqual(
      events.map(({ sequence }) => sequence),
      events.map((_, index) => index + 1)
    )
    return events.length
  })

/** Rows of an app in each table, with the transaction that wrote them. */
const written = Effect.fnUntraced(function* ({ appId }: AppIdentity) {
  const sql = yield* PgClient.PgClient
  return yield* sql<{ readonly table: string; readonly transaction: string }>`
    SELECT 'journal' AS table, xmin::text AS transaction FROM journal WHERE entity_id = ${appId}
    UNION ALL SELECT 'requests', xmin::text FROM requests WHERE entity_id = ${appId}
    UNION ALL SELECT 'outbox', xmin::text FROM outbox WHERE entity_id = ${appId}
    UNION ALL SELECT 'names', xmin::text FROM names WHERE owner_id = ${appId}
    UNION ALL SELECT 'read_models', xmin::text FROM read_models WHERE entity_id = ${appId}`
})

it.layer(services, { timeout: 60_000, excludeTestServices: true })("AppEntity on PostgreSQL", (it) => {
  it.effect("INV-JRN-1 fences the first owner once a second one has appended", () =>
    Effect.gen(function* () {
      const identity = Specimens.uniqueIdentity()
      const [first, second] = [yield* open(identity), yield* open(identity)]
      const deployId = freshDeploy()
      yield* first.CreateApp({ ...request("create"), identity })
      yield* second.AcceptPush(Specimens.push(deployId))
      const late = first.Restart({ ...request("late"), deployId: freshDeploy() })
      const settings = first.SetHealthCheck({
        ...request("settings"),
        deployId: freshDeploy(),
        health: { path: "/up", startupSeconds: 5 }
      })
      assert.strictEqual((yield* Effect.flip(settings))._tag, "Unavailable")
      assert.strictEqual((yield* Effect.flip(late))._tag, "NothingLive")
      assert.strictEqual((yield* first.GetApp()).deploys[0]?.id, deployId)
      yield* settings
      assert.strictEqual(yield* sequences(identity), 3)
    }).pipe(Effect.scoped)
  )

  it.effect(
    "INV-APP-8 rejects nothing, and passes over no observation, for what a late owner has missed",
    () =>
      Effect.gen(function* () {
        const identity = Specimens.uniqueIdentity()
        const [late, later, owner] = [yield* open(identity), yield* open(identity), yield* open(identity)]
        const deployId = freshDeploy()
        yield* late.CreateApp({ ...request("create"), identity })
        assert.deepStrictEqual((yield* later.GetApp()).deploys, [])
        yield* owner.AcceptPush(Specimens.push(deployId))
        const started = yield* late.StartBuild({ ...request("start"), deployId })
        assert.strictEqual(started.phase, "building")
        const newest = yield* open(identity)
        yield* newest.RecordRelease({ ...request("release"), ...Specimens.built(deployId) })
        yield* newest.StartRollout({ ...request("rollout"), deployId })
        const { desired } = yield* newest.GetApp()
        yield* later.Observe({
          principal: Specimens.operator,
          observed: Specimens.observed(desired!, "available")
        })
        const state = yield* (yield* open(identity)).GetApp()
        assert.strictEqual(state.deploys[0]?.phase, "deployed")
      }).pipe(Effect.scoped)
  )

  it.effect("INV-JRN-1 lets two owners take turns at random without a gap, a loss or a double", () =>
    Effect.gen(function* () {
      const identity = Specimens.uniqueIdentity()
      const owners = [yield* open(identity), yield* open(identity)] as const
      yield* owners[0].CreateApp({ ...request("create"), identity })
      const deploys = Array.from({ length: 20 }, freshDeploy)
      yield* Effect.forEach(
        deploys,
        (deployId, index) =>
          owners[index % 2 === 0 ? 0 : 1]
            .AcceptPush(Specimens.push(deployId, index))
            .pipe(Effect.retry({ times: 100, while: (error) => error._tag === "Unavailable" })),
        { concurrency: 4 }
      )
      yield* sequences(identity)
      const state = yield* (yield* open(identity)).GetApp()
      assert.deepStrictEqual(state.deploys.map(({ id }) => id).sort(), deploys.sort())
      assert.strictEqual(state.ordinal, deploys.length)
    }).pipe(Effect.scoped)
  )

  const lose = (cut: Cut) =>
    Effect.gen(function* () {
      const identity = Specimens.uniqueIdentity()
      const url = new URL(Redacted.value(yield* DatabaseUrl))
      const wire = yield* cutWire(new URL(url))
      url.hostname = "127.0.0.1"
      url.port = String(wire.port)
      const app = yield* Effect.flatMap(Layer.build(journalAt(Redacted.make(url.href))), (context) =>
        Effect.provideContext(open(identity), context)
      )
      yield* app.CreateApp({ ...request("create"), identity })
      const deployId = freshDeploy()
      yield* wire.cutAround(deployId, cut)
      const push = app.AcceptPush(Specimens.push(deployId))
      assert.strictEqual((yield* Effect.flip(push))._tag, "Unavailable")
      assert.strictEqual(yield* wire.cuts, 1)
      const before = yield* sequences(identity)
      const deploy = yield* push
      assert.strictEqual(deploy.ordinal, 1)
      const state = yield* app.GetApp()
      assert.deepStrictEqual(
        state.deploys.map(({ id }) => id),
        [deployId]
      )
      assert.strictEqual(yield* sequences(identity), 2)
      return before
    }).pipe(Effect.scoped)

  it.effect("INV-JRN-4 finds the reply of a push whose COMMIT was lost on the way back", () =>
    Effect.map(lose("after the commit"), (before) => assert.strictEqual(before, 2))
  )

  it.effect("INV-JRN-4 does a push whose statement never reached the database", () =>
    Effect.map(lose("before the statement"), (before) => assert.strictEqual(before, 1))
  )

  it.effect("INV-JRN-3 writes events, reply, effects, names and rows in one transaction", () =>
    Effect.gen(function* () {
      const identity = Specimens.uniqueIdentity()
      const app = yield* open(identity)
      yield* app.CreateApp({ ...request("create"), identity })
      const creation = yield* written(identity)
      assert.sameMembers(
        creation.map(({ table }) => table),
        ["journal", "requests", "names", "read_models"]
      )
      assert.strictEqual(new Set(creation.map(({ transaction }) => transaction)).size, 1)
      yield* app.AcceptPush(Specimens.push(freshDeploy()))
      const push = (yield* written(identity)).filter(
        ({ transaction }) => transaction !== creation[0]?.transaction
      )
      assert.strictEqual(new Set(push.map(({ transaction }) => transaction)).size, 1)
      assert.sameMembers(
        [...new Set(push.map(({ table }) => table))],
        ["journal", "requests", "outbox", "read_models"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("INV-JRN-3 writes nothing of an app whose host name another one holds", () =>
    Effect.gen(function* () {
      const holder = Specimens.uniqueIdentity()
      const late = { ...Specimens.uniqueIdentity(), hostnames: holder.hostnames }
      yield* (yield* open(holder)).CreateApp({ ...request("create"), identity: holder })
      const app = yield* open(late)
      const error = yield* Effect.flip(app.CreateApp({ ...request("create"), identity: late }))
      assert.deepInclude(error, { _tag: "NameTaken", kind: "hostname", name: holder.hostnames[0]! })
      assert.deepStrictEqual(yield* written(late), [])
      const other = { ...late, hostnames: Specimens.uniqueIdentity().hostnames }
      yield* app.CreateApp({ ...request("create"), identity: other })
    }).pipe(Effect.scoped)
  )

  it.effect(
    "INV-JRN-7 snapshots after enough events, starts from it, and ignores one that it cannot read",
    () =>
      Effect.gen(function* () {
        const sql = yield* PgClient.PgClient
        const journal = yield* Journal
        const identity = Specimens.uniqueIdentity()
        const app = yield* open(identity)
        yield* app.CreateApp({ ...request("create"), identity })
        const snapshot = Effect.map(journal.load(keyOf(identity)), (history) => history.snapshot)
        for (let n = 2; n <= snapshotEveryEvents; n++) {
          assert.strictEqual((yield* snapshot)._tag, "None")
          yield* app.SetHealthCheck({
            ...request(`settings-${n}`),
            deployId: freshDeploy(),
            health: { path: `/up/${n}`, startupSeconds: 5 }
          })
        }
        yield* app.AcceptPush(Specimens.push(freshDeploy()))
        const { snapshot: stored, events } = yield* journal.load(keyOf(identity))
        assert.strictEqual(stored._tag === "Some" ? stored.value.sequence : 0, snapshotEveryEvents)
        assert.strictEqual(events.length, 1)
        const state = yield* app.GetApp()
        assert.deepStrictEqual(yield* (yield* open(identity)).GetApp(), state)

        const settings = { ...state.settings, health: { path: "/marked", startupSeconds: 5 } }
        const marked = yield* Schema.encodeEffect(AppState)({ ...state, deploys: [], settings })
        yield* sql`UPDATE snapshots SET state = ${sql.json(marked)} WHERE entity_id = ${identity.appId}`
        assert.deepStrictEqual(yield* (yield* open(identity)).GetApp(), { ...state, settings })

        yield* sql`UPDATE snapshots SET state = '{"of": "another version"}' WHERE entity_id = ${identity.appId}`
        assert.deepStrictEqual(yield* (yield* open(identity)).GetApp(), state)
      }).pipe(Effect.scoped)
  )
})
