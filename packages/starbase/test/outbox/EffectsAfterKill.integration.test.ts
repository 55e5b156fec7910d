import { spawn } from "node:child_process"
import { join } from "node:path"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, Schedule } from "effect"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { Journal } from "@starform/starbase/journal/Journal"
import { DeployRelease } from "@starform/starbase/workflows/DeployRelease"
import * as RelayWorld from "../harness/RelayWorld.ts"
import { freshDatabase } from "../Postgres.ts"
import * as EffectScenario from "./EffectScenario.ts"
import { appOf, clusterOf, deployOf, type Kind, kinds, sourceOf } from "./EffectScenario.ts"

type Moment = "before" | "after"

/** Runs a Starbase until it stands at one effect of each kind, and kills it there. */
const killedAtEveryEffect = (databaseUrl: Redacted.Redacted<string>, moment: Moment) =>
  Effect.callback<void>((resume) => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "HoldEffects.process.ts"), Redacted.value(databaseUrl), moment],
      { stdio: ["ignore", "pipe", "pipe"] }
    )
    let printed = ""
    const missing = () => kinds.filter((kind) => !printed.includes(`held ${kind}\n`))
    child.stdout.on("data", (chunk) => {
      printed += String(chunk)
      if (missing().length === 0) child.kill("SIGKILL")
    })
    child.stderr.on("data", (chunk) => {
      printed += String(chunk)
    })
    child.on("close", (_, signal) => {
      const isKilled = signal === "SIGKILL" && missing().length === 0
      resume(isKilled ? Effect.void : Effect.die(new Error(`still missing ${missing()}:\n${printed}`)))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  }).pipe(Effect.timeout("45 seconds"), Effect.orDie)

const world = (moment: Moment) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const databaseUrl = yield* freshDatabase
      yield* killedAtEveryEffect(databaseUrl, moment)
      return RelayWorld.layer(databaseUrl, EffectScenario.script)
    })
  )

/** Asks until it is so; says what it saw last when it never is. */
const eventually = <A, E, R>(what: Effect.Effect<A, E, R>, isSo: (seen: A) => boolean) =>
  Effect.gen(function* () {
    let last = ""
    yield* what.pipe(
      Effect.exit,
      Effect.tap((exit) => Effect.sync(() => (last = String(exit)))),
      Effect.repeat({
        until: (exit) => exit._tag === "Success" && isSo(exit.value),
        schedule: Schedule.spaced("50 millis")
      }),
      Effect.timeoutOrElse({
        duration: "15 seconds",
        orElse: () => Effect.die(new Error(`never so; last seen: ${last}`))
      })
    )
  })

const rowsOf = Effect.fnUntraced(function* (kind: Kind) {
  const sql = yield* PgClient.PgClient
  const rows = yield* sql<{ readonly kind: string }>`
    SELECT effect->>'_tag' AS kind FROM outbox WHERE entity_id = ${sourceOf(kind).id}`
  return rows.map((row) => row.kind)
})

const cluster = (kind: Kind) =>
  Effect.flatMap(EntityClients, (entities) =>
    entities.cluster(clusterOf(kind), (client) => client.GetClusterState())
  )

/** How often an event about the kind's app stands in the journal of an entity. */
const countOf = Effect.fnUntraced(function* (
  key: { readonly type: string; readonly id: string },
  text: string
) {
  const journal = yield* Journal
  const events = yield* journal.read(key, 0, 1000)
  return events.filter(({ event }) => JSON.stringify(event).includes(text)).length
})

const workflowOf = (kind: Kind) =>
  DeployRelease.executionId({ appId: appOf(kind), deployId: deployOf(kind), kind: "push" }).pipe(
    Effect.flatMap((id) => DeployRelease.poll(id))
  )

/** The effect of each kind is there, and there once. */
const isThere: Readonly<
  Record<Kind, Effect.Effect<void, unknown, EntityClients | Journal | RelayWorld.Services>>
> = {
  StartDeploy: Effect.gen(function* () {
    yield* eventually(EffectScenario.phaseOf("StartDeploy"), (phase) => phase === "deploying")
    assert.strictEqual(yield* countOf(sourceOf("StartDeploy"), "BuildStarted"), 1)
  }),
  SettleDeploy: eventually(workflowOf("SettleDeploy"), Option.isSome),
  CancelBuild: eventually(workflowOf("CancelBuild"), Option.isSome),
  PutDesired: Effect.gen(function* () {
    yield* eventually(cluster("PutDesired"), ({ entries }) => appOf("PutDesired") in entries)
    const key = { type: "Cluster", id: clusterOf("PutDesired") }
    assert.strictEqual(yield* countOf(key, appOf("PutDesired")), 1)
  }),
  RemoveDesired: Effect.gen(function* () {
    yield* eventually(cluster("RemoveDesired"), ({ tombstones }) => appOf("RemoveDesired") in tombstones)
    const key = { type: "Cluster", id: clusterOf("RemoveDesired") }
    assert.strictEqual(yield* countOf(key, appOf("RemoveDesired")), 2)
  }),
  TellObserved: Effect.gen(function* () {
    yield* eventually(EffectScenario.phaseOf("TellObserved"), (phase) => phase === "deployed")
    assert.strictEqual(yield* countOf({ type: "App", id: appOf("TellObserved") }, "ObservationChanged"), 1)
  })
}

for (const moment of ["before", "after"] as const) {
  it.layer(world(moment), { timeout: 90_000, excludeTestServices: true })(
    `A Starbase killed right ${moment} it performs an effect`,
    (it) => {
      it.effect.each(kinds)("leaves %s to the next one, which does it and forgets it", (kind) =>
        Effect.gen(function* () {
          yield* isThere[kind]
          yield* eventually(rowsOf(kind), (rows) => !rows.includes(kind))
          yield* isThere[kind]
        })
      )
    }
  )
}
