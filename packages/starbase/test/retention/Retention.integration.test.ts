/** What is forgotten of the stored messages of deploys, beside a living Starbase. */
import { assert, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Duration, Effect, Layer, Schedule } from "effect"
import { FetchHttpClient } from "effect/http"
import type { DeployId } from "@starform/domain/ids/Ids"
import * as Retention from "@starform/starbase/retention/Retention"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import { DeployRuns } from "@starform/starbase/workflows/DeployRuns"
import {
  agentToken,
  app,
  appIdOf,
  baseUrl,
  clientOf,
  clusterId,
  deployOf,
  ended,
  endless,
  push,
  requestId,
  script,
  setUp,
  workspaceToken
} from "../harness/ApiWorld.ts"
import * as ObedientAgent from "../harness/ObedientAgent.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

/** Everything that is older than this moment and than `kept`. */
const forget = (kept: Duration.Duration) =>
  Effect.flatMap(StarbaseConfig, (settings) =>
    Effect.provideService(Retention.sweep, StarbaseConfig, {
      ...settings,
      messageRetention: kept,
      auditRetention: kept
    })
  )

/** Steps that are stored of a deploy and its build: tag and key. */
const stepsOf = Effect.fnUntraced(function* (deployId: DeployId) {
  const sql = yield* PgClient.PgClient
  const rows = yield* sql<{ step: string }>`
    WITH runs AS (SELECT entity_id FROM cluster_messages WHERE tag = 'run' AND payload LIKE ${`%${deployId}%`})
    SELECT entity_type || ' ' || tag AS step FROM cluster_messages WHERE entity_id IN (SELECT entity_id FROM runs)
      AND entity_type <> 'Workflow/-/DurableClock' ORDER BY id`
  return rows.map(({ step }) => step)
})

const count = Effect.fnUntraced(function* (what: string) {
  const sql = yield* PgClient.PgClient
  const rows = yield* sql.unsafe<{ n: number }>(`SELECT count(*)::integer AS n FROM ${what}`)
  return rows[0]!.n
})

const until = <R>(isSo: Effect.Effect<boolean, unknown, R>) =>
  Effect.repeat(isSo, { until: (so) => so, schedule: Schedule.spaced("50 millis") }).pipe(
    Effect.timeout("20 seconds")
  )

/** The workflow has nothing more to do. */
const isOver = (deployId: DeployId) =>
  Effect.flatMap(DeployRuns, (runs) =>
    until(Effect.map(runs.status(deployId), (status) => status === "ended"))
  )

const agent = Effect.flatMap(baseUrl, (url) => ObedientAgent.run({ url, clusterId, token: agentToken }))

const layer = StarbaseProcess.layer(script).pipe(Layer.provideMerge(FetchHttpClient.layer))

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("Retention", (it) => {
  it.effect("INV-RET-1 keeps every step of what still runs, and of a build whose deploy does", () =>
    Effect.gen(function* () {
      yield* setUp
      const runs = yield* DeployRuns
      const client = yield* clientOf(workspaceToken)
      const waits = (deployId: DeployId) =>
        until(Effect.map(runs.status(deployId), (status) => status === "waiting"))
      const keeps = Effect.fnUntraced(function* (deployId: DeployId) {
        const before = yield* stepsOf(deployId)
        assert.isTrue(before.includes("Workflow/BuildRelease activity"), before.join())
        yield* forget(Duration.zero)
        assert.deepStrictEqual(yield* stepsOf(deployId), before)
      })
      yield* push(endless)
      yield* waits(deployOf(endless))
      yield* until(Effect.map(stepsOf(deployOf(endless)), (steps) => steps.length === 3))
      yield* keeps(deployOf(endless))
      // It supersedes the first one, and there is no agent yet.
      yield* push(1)
      yield* until(Effect.map(client.ListDeploys({ app }), ([newest]) => newest?.phase === "deploying"))
      yield* waits(deployOf(1))
      yield* keeps(deployOf(1))
    })
  )

  it.effect(
    "forgets the steps of deploys that have ended, and what was answered to them, once they are old",
    () =>
      Effect.gen(function* () {
        yield* Effect.forkScoped(agent)
        const client = yield* clientOf(workspaceToken)
        yield* ended(client, deployOf(1))
        yield* push(2)
        yield* ended(client, deployOf(2))
        const restarted = yield* client.Restart({ app, requestId: requestId() })
        yield* ended(client, restarted.id)
        const all = [deployOf(1), deployOf(2), restarted.id]
        yield* Effect.forEach(all, isOver)
        // What ended of late stays.
        assert.strictEqual(yield* forget(Duration.hours(1)), 0)
        yield* until(
          Effect.map(
            Effect.andThen(forget(Duration.zero), Effect.forEach(all, stepsOf)),
            (steps) => steps.flat().length === 0
          )
        )
        // A clock that has not struck waits for its time.
        assert.strictEqual(
          yield* count("cluster_messages"),
          yield* count("cluster_messages WHERE NOT processed AND entity_type = 'Workflow/-/DurableClock'")
        )
        assert.strictEqual(yield* count("cluster_replies"), 0)
      }).pipe(Effect.scoped)
  )

  it.effect("INV-RET-2 begins nothing when a deploy that was forgotten is asked for again", () =>
    Effect.gen(function* () {
      const runs = yield* DeployRuns
      const appId = yield* appIdOf(app)
      const client = yield* clientOf(workspaceToken)
      const deploys = yield* client.ListDeploys({ app })
      const facts = Effect.all([
        client.ListDeploys({ app }),
        count("journal"),
        count("outbox"),
        count("build_log_chunks")
      ])
      const before = yield* facts
      assert.isAtLeast(deploys.length, 4)
      for (const { id, kind } of deploys) {
        assert.strictEqual(yield* runs.status(id), "running", "nothing is known of it")
        yield* runs.start({ appId, deployId: id, kind })
        yield* runs.settle(id)
        yield* isOver(id)
        yield* runs.resume(id)
      }
      assert.deepStrictEqual(yield* facts, before)
      yield* until(
        Effect.map(
          Effect.andThen(
            forget(Duration.zero),
            Effect.forEach(deploys, ({ id }) => stepsOf(id))
          ),
          (steps) => steps.flat().length === 0
        )
      )
    })
  )

  it.effect("leaves alone what is written in another way than it knows", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const messages = [
        ["1", "Workflow/DeployRelease", "a", "run", "another/key", true],
        ["2", "Workflow/DeployRelease", "b", "run", "Workflow/DeployRelease/b/run/", false],
        ["3", "Workflow/DeployRelease", "c", "run", "Workflow/DeployRelease/c/run/", true],
        ["4", "App", "d", "AcceptPush", "App/d/AcceptPush/x", true]
      ] as const
      for (const [id, type, entity, tag, key, processed] of messages) {
        yield* sql`
          INSERT INTO cluster_messages (id, message_id, shard_id, entity_type, entity_id, kind, tag, payload, processed,
            request_id, last_reply_id)
          VALUES (${id}, ${key}, 'nowhere:1', ${type}, ${entity}, 0, ${tag}, '{}', ${processed}, ${id}, ${id})`
        yield* sql`
          INSERT INTO cluster_replies (id, kind, request_id, payload) VALUES (${id}, 0, ${id}, '{"other":"Suspended"}')`
      }
      yield* forget(Duration.zero)
      assert.strictEqual(yield* count("cluster_messages WHERE shard_id = 'nowhere:1'"), messages.length)
      assert.strictEqual(yield* count("cluster_replies WHERE id < 10"), messages.length)
    })
  )

  it.effect("forgets what operators did long ago, and nothing younger", () =>
    Effect.gen(function* () {
      const operator = yield* clientOf(StarbaseProcess.operatorToken)
      yield* operator.ListRunners()
      yield* forget(Duration.hours(1))
      assert.isAbove(yield* count("operator_audit"), 0)
      yield* forget(Duration.zero)
      assert.strictEqual(yield* count("operator_audit"), 0)
    })
  )
})
