/** The evidence of a load: what its entities' journals hold, and where its apps have come to once nothing happens any more. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Duration, Effect, type Redacted, Schedule } from "effect"
import type { DeployId } from "@starform/domain/ids/Ids"
import type { AppState } from "@starform/starbase/entities/app/AppEntity"
import type { EntityKey, StoredEvent } from "@starform/starbase/journal/Journal"
import { grace } from "@starform/starbase/workflows/DeployWatch"
import * as Evidence from "../invariants/Evidence.ts"
import { violations } from "../invariants/Invariants.ts"
import type { Caller } from "./Caller.ts"
import type { Load } from "./Load.ts"
import { deployDeadline } from "./RunnerWorld.ts"
import { appOf, entitiesOf, type Tenant } from "./Tenants.ts"

const deadlineMs = Duration.toMillis(Duration.sum(Duration.times(deployDeadline, 2), grace))

/** How long what was accepted may take to come to rest. */
const restWithin = "45 seconds"

interface Pulled {
  readonly entries: Readonly<Record<string, { readonly entry: { ordinal: number; releaseId: string } }>>
  readonly observed: Readonly<
    Record<string, { ordinal: number; releaseId: string | null; phase: string } | undefined>
  >
}

const atRest = Effect.fnUntraced(function* (caller: Caller, tenant: Tenant) {
  const cluster = (yield* caller.ask(tenant.cluster, "GetClusterState")) as Pulled
  const apps: Array<Evidence.AppAtRest> = []
  for (const identity of [tenant.configured, tenant.pushed]) {
    const { desired } = (yield* caller.ask(appOf(identity), "GetApp")) as AppState
    const short = (entry: { ordinal: number; releaseId: string } | undefined | null) =>
      entry === undefined || entry === null ? null : { ordinal: entry.ordinal, releaseId: entry.releaseId }
    apps.push({
      appId: identity.appId,
      desired: short(desired),
      entry: short(cluster.entries[identity.appId]?.entry),
      observed: cluster.observed[identity.appId] ?? null
    })
  }
  return apps
})

const pushOf = Effect.fnUntraced(function* (caller: Caller, app: EntityKey, deployId: DeployId) {
  const wait = { deployId, phasesSeen: 0, waitMs: 0 }
  const deploy = (yield* caller.ask(app, "AwaitDeploy", wait)) as AppState["deploys"][number]
  const push: Evidence.AcceptedPush = {
    deployId,
    acceptedAtMs: deploy.phases[0]!.atMs,
    deadlineMs,
    phase: deploy.phase,
    sinceMs: deploy.phases.at(-1)!.atMs
  }
  return push
})

const stored = Effect.fnUntraced(function* (entity: EntityKey) {
  const sql = yield* PgClient.PgClient
  const events = yield* sql<StoredEvent>`
    SELECT sequence, event, actor, request_id AS "requestId", at_ms::float8 AS "atMs" FROM journal
    WHERE entity_type = ${entity.type} AND entity_id = ${entity.id} ORDER BY sequence`
  const requests = yield* sql<Omit<Evidence.KeptRequest, "entity">>`
    SELECT request_id AS "requestId", sequence FROM requests
    WHERE entity_type = ${entity.type} AND entity_id = ${entity.id}`
  return { journal: { entity, events }, requests: requests.map((row) => ({ entity, ...row })) }
})

/** @param databaseUrl straight to the server, past every wire */
export const gather = Effect.fnUntraced(function* (
  databaseUrl: Redacted.Redacted<string>,
  caller: Caller,
  tenants: ReadonlyArray<Tenant>,
  load: Load
) {
  const rest = yield* Effect.forEach(tenants, (tenant) => atRest(caller, tenant)).pipe(
    Effect.map((apps) => apps.flat()),
    Effect.repeat({
      until: (apps) => violations({ ...Evidence.nothing, rest: apps }).length === 0,
      schedule: Schedule.spaced("100 millis")
    }),
    Effect.timeoutOption(restWithin),
    Effect.flatMap((settled) =>
      settled._tag === "Some"
        ? Effect.succeed(settled.value)
        : Effect.map(
            Effect.forEach(tenants, (tenant) => atRest(caller, tenant)),
            (apps) => apps.flat()
          )
    )
  )
  const pushes = yield* Effect.forEach(load.pushes, ({ app, deployId }) => pushOf(caller, app, deployId))
  const entities = yield* Effect.forEach(tenants.flatMap(entitiesOf), stored).pipe(
    Effect.provide(PgClient.layer({ url: databaseUrl, maxConnections: 2 })),
    // Another world may have stopped the server for a moment.
    Effect.retry({ schedule: Schedule.spaced("500 millis"), times: 20 }),
    Effect.orDie
  )
  const evidence: Evidence.Evidence = {
    ...Evidence.nothing,
    atMs: Date.now(),
    acknowledged: caller.acknowledged,
    journals: entities.map(({ journal }) => journal),
    requests: entities.flatMap(({ requests }) => requests),
    revisions: load.revisions,
    pushes,
    rest
  }
  return evidence
})
