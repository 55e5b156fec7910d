/** What may be wrong with one tenant's things alone: its apps are on the cluster of another one. Each fault lasts until its world ends. */
import { randomUUID } from "node:crypto"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, type Redacted, Schedule } from "effect"
import { ClusterId, DeployId, WorkspaceId } from "@starform/domain/ids/Ids"
import type { Deploy, DeployPhase } from "@starform/domain/model/Deploy"
import type { AppIdentity, AppState } from "@starform/starbase/entities/app/AppEntity"
import { testSettings } from "@starform/starbase/StarbaseConfig"
import * as Specimens from "../entities/Specimens.ts"
import * as Caller from "./Caller.ts"
import type { RunnerProcess } from "./RunnerProcess.ts"
import { hangingRef } from "./RunnerMessages.ts"
import { appOf, type Tenant } from "./Tenants.ts"

export interface TenantFault {
  /** Continues "while …". */
  readonly name: string
  readonly begin: Effect.Effect<void>
  /** Whether it still lasts; looked at after whatever another tenant did meanwhile. */
  readonly lasts: Effect.Effect<boolean>
}

/** An event, or an effect, that no version of Starbase has written. */
const unreadable = JSON.stringify({ _tag: "OfAnotherVersion" })

/** Lines of effects that fail: more than the relay performs side by side. */
const failingLines = 600

/** Asks beyond what an App holds. */
const asksMax = testSettings.entityRequestsMax + 50

const tagOf = (door: RunnerProcess, identity: AppIdentity) =>
  door.ask(appOf(identity), "GetApp").pipe(
    Effect.as("answered"),
    Effect.catch(({ tag }) => Effect.succeed(tag))
  )

/** @param host a tenant whose cluster, with its agent, the faulty one's apps are on */
export const make = Effect.fnUntraced(function* (
  databaseUrl: Redacted.Redacted<string>,
  doors: readonly [RunnerProcess, ...ReadonlyArray<RunnerProcess>],
  host: Tenant
) {
  const caller = Caller.make(doors)
  const workspaceId = WorkspaceId.make(randomUUID())
  const scope = yield* Effect.scope
  const clusterId = ClusterId.make(host.cluster.id)
  const sql = <A extends object>(run: (sql: PgClient.PgClient) => Effect.Effect<ReadonlyArray<A>, unknown>) =>
    Effect.flatMap(PgClient.PgClient, run).pipe(
      Effect.provide(PgClient.layer({ url: databaseUrl, maxConnections: 1 })),
      Effect.orDie
    )

  const app = Effect.gen(function* () {
    const identity: AppIdentity = { ...Specimens.uniqueIdentity(clusterId), workspaceId }
    yield* caller.command(appOf(identity), "CreateApp", { ...Specimens.request("create"), identity })
    return identity
  })

  const push = Effect.fnUntraced(function* (identity: AppIdentity, ref = "refs/heads/main") {
    const deployId = DeployId.make(randomUUID())
    yield* caller.command(appOf(identity), "AcceptPush", { ...Specimens.push(deployId), ref })
    return deployId
  })

  const phaseOf = (identity: AppIdentity, deployId: DeployId) =>
    Effect.map(
      caller.ask(appOf(identity), "AwaitDeploy", { deployId, phasesSeen: 0, waitMs: 0 }),
      (deploy) => (deploy as Deploy).phase
    )

  const reaches = (identity: AppIdentity, deployId: DeployId, phase: DeployPhase) =>
    phaseOf(identity, deployId).pipe(
      Effect.repeat({ until: (now) => now === phase, schedule: Schedule.spaced("50 millis") })
    )

  /** A release of it is desired, and the cluster's agent has not reported on it yet. */
  const rollingOut = Effect.gen(function* () {
    const identity = yield* app
    const deployId = yield* push(identity)
    yield* reaches(identity, deployId, "deploying")
    const { desired } = (yield* caller.ask(appOf(identity), "GetApp")) as AppState
    const available = caller.ask(host.cluster, "Report", {
      agentTokenHash: host.agentTokenHash,
      report: {
        revision: null,
        apps: [Specimens.observed(desired!, "available")],
        complete: false,
        agentVersion: "test"
      }
    })
    return { identity, deployId, available }
  })

  /** What the cluster has to tell an app, and has tried to. */
  const isUntold = ({ appId }: AppIdentity) =>
    Effect.map(
      sql(
        (sql) =>
          sql`SELECT 1 AS one FROM outbox WHERE entity_id = ${clusterId} AND effect->>'appId' = ${appId} AND attempts > 0`
      ),
      (rows) => rows.length > 0
    )

  const untilUntold = (identity: AppIdentity) =>
    isUntold(identity).pipe(Effect.repeat({ until: (is) => is, schedule: Schedule.spaced("50 millis") }))

  const [building, unread, unperformed, flooded] = [
    yield* app,
    yield* rollingOut,
    yield* app,
    yield* rollingOut
  ]
  const pushes = new Map<string, DeployId>()
  const isStill = (identity: AppIdentity, phase: DeployPhase) =>
    Effect.suspend(() => phaseOf(identity, pushes.get(identity.appId)!)).pipe(
      Effect.map((now) => now === phase)
    )

  const faults: ReadonlyArray<TenantFault> = [
    {
      name: "another tenant's build does not end",
      begin: Effect.gen(function* () {
        const deployId = yield* push(building, hangingRef)
        pushes.set(building.appId, deployId)
        yield* reaches(building, deployId, "building")
      }),
      lasts: isStill(building, "building")
    },
    {
      name: "another tenant's app on the same cluster cannot be read",
      begin: Effect.gen(function* () {
        const { identity, available } = unread
        yield* sql(
          (sql) => sql`UPDATE journal SET event = ${unreadable}::jsonb WHERE entity_id = ${identity.appId}`
        )
        yield* Effect.exit(doors[0].ask(appOf(identity), "Passivate"))
        yield* available
        yield* untilUntold(identity)
      }),
      lasts: Effect.map(
        Effect.all([tagOf(doors[0], unread.identity), isUntold(unread.identity)]),
        ([tag, isWaiting]) => tag === "InternalFault" && isWaiting
      )
    },
    {
      name: "another tenant's effects fail for ever",
      begin: Effect.gen(function* () {
        const { appId } = unperformed
        yield* sql(
          (sql) => sql`INSERT INTO outbox (entity_type, entity_id, sequence, position, effect)
            SELECT 'App', CASE n WHEN 0 THEN ${appId} ELSE ${appId} || n END, 0, 1, ${unreadable}::jsonb
            FROM generate_series(0, ${failingLines}) AS n`
        )
        pushes.set(appId, yield* push(unperformed))
      }),
      lasts: isStill(unperformed, "pending")
    },
    {
      name: "another tenant asks its own app more than it can hold",
      begin: Effect.gen(function* () {
        const { identity, deployId, available } = flooded
        const waitMs = 30_000
        const wait = { deployId, phasesSeen: Number.MAX_SAFE_INTEGER, waitMs }
        const ask = doors.at(-1)!.ask(appOf(identity), "AwaitDeploy", wait, waitMs)
        const again = Effect.forever(Effect.andThen(Effect.exit(ask), Effect.sleep("200 millis")))
        for (let n = 0; n < asksMax; n++) yield* Effect.forkIn(again, scope)
        yield* tagOf(doors[0], identity).pipe(
          Effect.repeat({ until: (tag) => tag === "Overloaded", schedule: Schedule.spaced("50 millis") })
        )
        yield* available
        yield* untilUntold(identity)
      }),
      lasts: Effect.map(
        Effect.all([tagOf(doors[0], flooded.identity), isUntold(flooded.identity)]),
        ([tag, isWaiting]) => tag === "Overloaded" && isWaiting
      )
    }
  ]
  return faults
})
