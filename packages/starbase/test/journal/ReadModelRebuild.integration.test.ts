/** Read models and names made again from the journal of real entities, beside appends that go on. */
import { spawn } from "node:child_process"
import { join } from "node:path"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Redacted, Schedule } from "effect"
import { Slug } from "@starform/domain/ids/Slug"
import type { AppIdentity } from "@starform/starbase/entities/app/AppEntity"
import * as Creation from "@starform/starbase/entities/app/AppCreation"
import * as AppModel from "@starform/starbase/entities/app/AppModel"
import type { AppEvent, AppState } from "@starform/starbase/entities/app/AppState"
import * as Clusters from "@starform/starbase/entities/cluster/ClusterDecisions"
import * as ClusterModel from "@starform/starbase/entities/cluster/ClusterModel"
import { folds } from "@starform/starbase/entities/EntityFolds"
import * as Tenants from "@starform/starbase/entities/tenant/TenantDecisions"
import * as TenantModel from "@starform/starbase/entities/tenant/TenantModel"
import type { Journal } from "@starform/starbase/journal/Journal"
import * as JournaledEntity from "@starform/starbase/journal/JournaledEntity"
import * as JournalPostgres from "@starform/starbase/journal/JournalPostgres"
import * as JournalSchema from "@starform/starbase/journal/JournalSchema"
import { rebuild } from "@starform/starbase/journal/ReadModelRebuild"
import { decide, type Step } from "../entities/app/AppCommands.ts"
import * as Specimens from "../entities/Specimens.ts"
import { freshDatabase } from "../Postgres.ts"

type App = JournaledEntity.JournaledEntity<AppState, AppEvent>

const by = { origin: "test", principal: Specimens.operator }

/** Numbers of pushes, over all apps: their deploys have ids of their own. */
let pushes = 0

const ask = (app: App, kind: Step["kind"]) =>
  app.observe({
    ...by,
    decide: (state, nowMs) => decide(state, { kind, target: 0, choice: 1 }, ++pushes, nowMs)
  })

const createApp = Effect.fnUntraced(function* (identity: AppIdentity) {
  const app = yield* JournaledEntity.open(AppModel.model, identity.appId)
  yield* app.observe({ ...by, decide: (state) => Creation.createApp(state, { identity }) })
  return app
})

/** A tenant with a project, a cluster, an app of 60 pushes and one whose only deploy runs. */
const populate = Effect.gen(function* () {
  const tenant = yield* JournaledEntity.open(TenantModel.model, Specimens.workspaceId(1))
  const workspace = { id: Specimens.workspaceId(1), slug: Slug.make("acme"), displayName: "Acme" }
  const token = { id: "first", hash: "0".repeat(64), canWrite: true }
  yield* tenant.observe({ ...by, decide: (state) => Tenants.createWorkspace(state, { workspace, token }) })
  const { projectId: id, projectSlug: slug, clusterId, namespace } = Specimens.identity(1)
  const project = { id, slug, clusterId, namespace, workspaceId: workspace.id, displayName: "Shop" }
  yield* tenant.observe({
    ...by,
    decide: (state) =>
      Tenants.createProject(state, { project: { ...project, environments: [], services: [] } })
  })
  const cluster = yield* JournaledEntity.open(ClusterModel.model, clusterId)
  const registration = { clusterId, name: Slug.make("local"), region: "here", agentTokenHash: "0".repeat(64) }
  yield* cluster.observe({
    ...by,
    decide: (state) => Clusters.register(state, { registration, epoch: "0a0b0c0d" })
  })
  const busy = yield* createApp(Specimens.identity(1))
  for (let n = 0; n < 60; n++) yield* ask(busy, "push")
  yield* Effect.forEach(["advance", "advance", "advance", "advance", "settleBranch"] as const, (kind) =>
    ask(busy, kind)
  )
  const running = yield* createApp(Specimens.identity(2))
  yield* ask(running, "push")
  return { busy, running }
})

const stored = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const rows = yield* sql`SELECT * FROM read_models ORDER BY model, key`
  const names = yield* sql`SELECT * FROM names ORDER BY kind, name`
  return { rows, names }
})

/** Returns when a statement like this waits for a lock. */
const waiting = Effect.fnUntraced(function* (statement: string) {
  const sql = yield* PgClient.PgClient
  yield* sql`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND query LIKE ${statement}`.pipe(
    Effect.repeat({ until: (rows) => rows.length > 0, schedule: Schedule.spaced("20 millis") }),
    Effect.timeout("15 seconds")
  )
})

/** A database of its own for each test, and its URL. */
const inDatabase = <A, E>(
  test: (url: Redacted.Redacted<string>) => Effect.Effect<A, E, PgClient.PgClient | Journal>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const url = yield* freshDatabase
      const layer = JournalPostgres.layer.pipe(
        Layer.provideMerge(JournalSchema.layer),
        Layer.provideMerge(PgClient.layer({ url, maxConnections: 8 }))
      )
      return yield* Effect.provide(test(url), layer)
    })
  )

/** The operator's command. */
const command = (url: Redacted.Redacted<string>) =>
  Effect.callback<{ readonly status: number | null; readonly out: string; readonly problems: string }>(
    (resume) => {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, "..", "..", "src", "rebuild", "main.ts")],
        { env: { PATH: process.env["PATH"], STARBASE_DATABASE_URL: Redacted.value(url) } }
      )
      let [out, problems] = ["", ""]
      child.stdout.on("data", (chunk) => (out += String(chunk)))
      child.stderr.on("data", (chunk) => (problems += String(chunk)))
      child.on("close", (status) => resume(Effect.succeed({ status, out, problems })))
      return Effect.sync(() => child.kill("SIGKILL"))
    }
  )

it.live("INV-JRN-8 a rebuild changes nothing that is right, and mends whatever is not", () =>
  inDatabase((url) =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* populate
      const before = yield* stored
      const untouched = yield* rebuild(folds)
      assert.deepInclude(untouched, { entities: 4, written: 0, removed: 0, contested: [], skipped: [] })

      yield* sql`UPDATE read_models SET row = '{"stale": true}', parent = 'nowhere' WHERE model IN ('app', 'project')`
      yield* sql`DELETE FROM read_models WHERE model IN ('cluster', 'running-deploy')`
      yield* sql`DELETE FROM read_models WHERE key IN (
        SELECT key FROM read_models WHERE model = 'deploy' ORDER BY key LIMIT 5)`
      yield* sql`INSERT INTO read_models (model, key, parent, entity_type, entity_id, row) VALUES
        ('branch', 'bogus', 'due', 'App', ${Specimens.appId(1)}, '{}'),
        ('app', 'ghost', 'nowhere', 'App', 'ghost', '{}'),
        ('thing', 'ghost', 'nowhere', 'Thing', 'ghost', '{}')`
      yield* sql`DELETE FROM names WHERE kind = 'namespace'`
      yield* sql`UPDATE names SET owner_id = 'zombie' WHERE kind = 'hostname'`
      yield* sql`UPDATE names SET owner_type = 'Another', owner_id = 'ghost' WHERE kind = 'workspace'`
      yield* sql`INSERT INTO names (kind, name, owner_type, owner_id) VALUES ('hostname', 'bogus.test', 'App', ${Specimens.appId(2)})`
      const mended = yield* rebuild(folds, { eventsPerPage: 3, entitiesPerPage: 1 })
      assert.deepInclude(mended, { contested: [], skipped: [] })
      assert.deepStrictEqual(yield* stored, before)

      yield* sql`DELETE FROM read_models`
      yield* sql`DELETE FROM names`
      const ran = yield* command(url)
      assert.deepStrictEqual([ran.status, ran.problems], [0, ""])
      const lost = before.rows.length + before.names.length
      assert.match(
        ran.out,
        new RegExp(`^4 entities, \\d+ events: ${lost} rows and names written, 0 removed\n$`)
      )
      assert.deepStrictEqual(yield* stored, before)
    })
  )
)

it.live("a rebuild leaves what it cannot judge, goes on, and says so", () =>
  inDatabase((url) =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* populate
      yield* sql`INSERT INTO journal (entity_type, entity_id, sequence, event, actor, request_id, at_ms) VALUES
        ('App', 'broken', 1, '{"_tag": "Unheard"}', 'operator', 'r', 0),
        ('Thing', 'newer', 1, '{"_tag": "Happened"}', 'operator', 'r', 0)`
      yield* sql`INSERT INTO read_models (model, key, parent, entity_type, entity_id, row) VALUES
        ('app', 'broken', 'all', 'App', 'broken', '{}'), ('thing', 'newer', 'all', 'Thing', 'newer', '{}')`
      yield* sql`DELETE FROM names WHERE kind = 'hostname'`
      const twin = { ...Specimens.identity(3), hostnames: Specimens.identity(1).hostnames }
      yield* createApp(twin)
      yield* sql`DELETE FROM read_models WHERE model = 'cluster'`

      const ran = yield* command(url)
      assert.strictEqual(ran.status, 1)
      assert.include(ran.problems, "App broken was left as it is: ")
      assert.include(ran.problems, "Thing newer was left as it is: this program knows no entity type Thing")
      const claimed = `hostname ${twin.hostnames[0]} stays with App ${twin.appId}`
      assert.include(ran.problems, `${claimed}; the events of App ${Specimens.appId(1)} claim it too\n`)
      const kept =
        yield* sql`SELECT model FROM read_models WHERE key IN ('broken', 'newer') OR model = 'cluster'`
      assert.sameMembers(
        kept.map(({ model }) => model),
        ["app", "thing", "cluster"]
      )
    })
  )
)

it.live("INV-JRN-8 a rebuild waits for an append that is under way, and counts it", () =>
  inDatabase(() =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const { running } = yield* populate
      yield* sql`UPDATE read_models SET row = '{}' WHERE entity_id = ${Specimens.appId(2)}`
      const gate = yield* Deferred.make<void>()
      const held = yield* Deferred.make<void>()
      // Holds the append up at its last table: it has the journal's lock and its rows by then.
      const holder =
        yield* sql`SELECT 1 FROM read_models WHERE model = 'deploy' AND parent = ${Specimens.appId(2)} FOR UPDATE`.pipe(
          Effect.andThen(Deferred.succeed(held, undefined)),
          Effect.andThen(Deferred.await(gate)),
          sql.withTransaction,
          Effect.forkChild
        )
      yield* Deferred.await(held)
      const append = yield* Effect.forkChild(ask(running, "cancel"))
      yield* waiting("%judged AS%")
      const rebuilding = yield* Effect.forkChild(rebuild(folds))
      yield* waiting("LOCK TABLE journal%")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(holder)
      yield* Fiber.join(append)
      yield* Fiber.join(rebuilding)
      const rows = yield* sql<{ phase: string }>`
        SELECT row->>'phase' AS phase FROM read_models WHERE model = 'deploy' AND parent = ${Specimens.appId(2)}`
      assert.deepStrictEqual(rows, [{ phase: "cancelled" }])
      assert.deepInclude(yield* rebuild(folds), { written: 0, removed: 0 })
    })
  )
)

it.live("INV-JRN-8 an append that waits for a rebuild removes a row that the rebuild has just put back", () =>
  inDatabase(() =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const { running } = yield* populate
      const id = Specimens.appId(2)
      yield* sql`DELETE FROM read_models WHERE model = 'running-deploy' AND entity_id = ${id}`
      const gate = yield* Deferred.make<void>()
      const held = yield* Deferred.make<void>()
      const holder =
        yield* sql`SELECT 1 FROM read_models WHERE model = 'app' AND key = ${id} FOR UPDATE`.pipe(
          Effect.andThen(Deferred.succeed(held, undefined)),
          Effect.andThen(Deferred.await(gate)),
          sql.withTransaction,
          Effect.forkChild
        )
      yield* Deferred.await(held)
      const rebuilding = yield* Effect.forkChild(rebuild(folds))
      yield* waiting("%written AS%")
      const append = yield* Effect.forkChild(ask(running, "cancel"))
      yield* waiting("%judged AS%")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(holder)
      assert.isAbove((yield* Fiber.join(rebuilding)).written, 0)
      yield* Fiber.join(append)
      const rows =
        yield* sql`SELECT key FROM read_models WHERE model = 'running-deploy' AND entity_id = ${id}`
      assert.deepStrictEqual(rows, [])
      assert.deepInclude(yield* rebuild(folds), { written: 0, removed: 0 })
    })
  )
)
