/**
 * What a deploy's workflows store, step by step: a workflow that was begun by one version of Starbase is ended by the next,
 * which finds the steps that are done by these names. A change here needs a new workflow name (INV-WF-2).
 */
import { assert, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Duration, Effect, Layer, Schedule } from "effect"
import { FetchHttpClient } from "effect/http"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import * as ApiWorld from "../harness/ApiWorld.ts"
import * as ObedientAgent from "../harness/ObedientAgent.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

/** In the order in which they begin. */
const expected = [
  "Workflow/DeployRelease run",
  "Workflow/BuildRelease run",
  "Workflow/BuildRelease activity Build/1",
  "Workflow/DeployRelease deferred Built",
  "Workflow/DeployRelease activity RollOut/1",
  "Workflow/-/DurableClock run RolloutDeadline",
  "Workflow/DeployRelease deferred Settled",
  "Workflow/DeployRelease deferred raceAll/Ended"
]

const steps = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const rows = yield* sql<{ step: string }>`
    SELECT entity_type || ' ' || tag || ' ' || split_part(message_id, '/' || tag || '/', 2) AS step
    FROM cluster_messages WHERE kind = 0 ORDER BY id`
  return rows.map(({ step }) => step.trim())
})

it.layer(Layer.merge(StarbaseProcess.layer(ApiWorld.script), FetchHttpClient.layer), {
  timeout: Duration.seconds(60),
  excludeTestServices: true
})("a deploy's stored steps", (it) => {
  it.effect("have the names that every version knows, and are few", () =>
    Effect.gen(function* () {
      const { publicUrl: url } = yield* StarbaseConfig
      yield* ApiWorld.setUp
      const { clusterId, agentToken: token, deployOf } = ApiWorld
      yield* Effect.forkScoped(ObedientAgent.run({ url, clusterId, token }))
      const client = yield* ApiWorld.clientOf(ApiWorld.workspaceToken)
      yield* ApiWorld.push(1)
      assert.strictEqual((yield* ApiWorld.ended(client, deployOf(1))).phase, "deployed")
      const stored = yield* Effect.repeat(steps, {
        until: (present) => present.at(-1) === expected.at(-1),
        schedule: Schedule.spaced("100 millis").pipe(Schedule.upTo({ duration: "10 seconds" }))
      }).pipe(Effect.andThen(steps))
      assert.deepStrictEqual(stored, expected)
    }).pipe(Effect.scoped)
  )
})
