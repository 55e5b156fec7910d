/** Usage on PostgreSQL. A few statements at once, so that a backlog of snapshots leaves the journal its connections. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { InternalFault, Overloaded, Unavailable } from "@starform/domain/errors/RequestErrors"
import * as AppId from "@starform/domain/ids/AppId"
import type { ClusterId } from "@starform/domain/ids/Ids"
import type { PodSnapshot } from "@starform/domain/observed/PodSnapshot"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { SqlError } from "effect/sql/SqlError"
import { sqlFailure } from "../journal/postgres/SqlFailure.ts"
import { isPlausible } from "./SnapshotClaims.ts"
import { type KnownCapacity, UsageStore } from "./UsageStore.ts"

export interface UsageSettings {
  /** Statements at once; each holds a connection. */
  readonly statementsMax: number
  /** Batches of this process, waiting or under way; one more is `Overloaded`. */
  readonly batchesMax: number
  /** From a batch's arrival until its outcome counts as unknown. */
  readonly deadline: Duration.Duration
  /** Whoever was refused may come again after this many seconds. */
  readonly retryAfterSeconds: number
}

const defaults: UsageSettings = {
  statementsMax: 2,
  batchesMax: 32,
  deadline: Duration.seconds(8),
  retryAfterSeconds: 5
}

/** @source design §4: one upserted row per cluster at most every 30 s */
const capacityEveryMs = 30_000

const what = "usage"

const failed = (error: SqlError): Unavailable | InternalFault =>
  sqlFailure(error) === "refused" ? new InternalFault({ reference: what }) : new Unavailable({ what })

const rowOf = (snapshot: PodSnapshot) => ({
  id: snapshot.snapshotId,
  app: AppId.format(snapshot),
  workspace: snapshot.workspaceId,
  project: snapshot.projectId,
  environment: snapshot.environment,
  service: snapshot.serviceId,
  process: snapshot.process,
  pod: snapshot.podId,
  phase: snapshot.phase,
  tier: snapshot.tier,
  cpu: snapshot.cpuMillicores,
  memory: snapshot.memoryMebibytes,
  minute: snapshot.snapshotTimestamp
})

const make = Effect.fnUntraced(function* (settings: UsageSettings) {
  const sql = yield* PgClient.PgClient
  const statements = yield* Semaphore.make(settings.statementsMax)
  /** One batch of a cluster at a time: an agent that sends many takes no other's place. */
  const inHand = new Set<ClusterId>()
  const overloaded = new Overloaded({ what, retryAfterSeconds: settings.retryAfterSeconds })

  const settled = <A>(statement: Effect.Effect<A, SqlError>) =>
    statement.pipe(
      Effect.mapError(failed),
      Semaphore.withPermit(statements),
      Effect.timeoutOrElse({
        duration: settings.deadline,
        orElse: () => Effect.fail(new Unavailable({ what }))
      })
    )

  const inTurn = <A, E>(clusterId: ClusterId, batch: Effect.Effect<A, E>) =>
    Effect.suspend((): Effect.Effect<A, E | Overloaded> => {
      if (inHand.has(clusterId) || inHand.size >= settings.batchesMax) return Effect.fail(overloaded)
      inHand.add(clusterId)
      return Effect.ensuring(
        batch,
        Effect.sync(() => void inHand.delete(clusterId))
      )
    })

  /**
   * Only for apps that are this cluster's, by the row that each App writes of itself with its first event (INV-USE-2).
   * Sorted, so that two batches with the same snapshots never wait for each other.
   */
  const insert = (clusterId: ClusterId, snapshots: ReadonlyArray<PodSnapshot>) =>
    sql<{ own: number; stored: number }>`
      WITH own AS MATERIALIZED (
        SELECT claimed.* FROM jsonb_to_recordset(${JSON.stringify(snapshots.map(rowOf))}::text::jsonb)
          AS claimed(id text, app text, workspace uuid, project uuid, environment text, service uuid, process text,
            pod text, phase text, tier text, cpu integer, memory integer, minute timestamptz)
        JOIN read_models ON read_models.model = 'app' AND read_models.key = claimed.app
          AND read_models.row->'identity'->>'clusterId' = ${clusterId}
          AND read_models.row->'identity'->>'workspaceId' = claimed.workspace::text),
      added AS (
        INSERT INTO usage_snapshots (snapshot_id, cluster_id, workspace_id, project_id, environment, service_id, process,
          pod_id, phase, tier, cpu_millicores, memory_mebibytes, snapshot_timestamp)
        SELECT decode(id, 'hex'), ${clusterId}::uuid, workspace, project, environment, service, process,
          pod, phase, tier, cpu, memory, minute
        FROM own ORDER BY id
        ON CONFLICT (snapshot_id) DO NOTHING RETURNING 1)
      SELECT (SELECT count(*) FROM own)::integer AS own, (SELECT count(*) FROM added)::integer AS stored`

  return UsageStore.of({
    storeSnapshots: Effect.fn("UsageStore.storeSnapshots")(function* (clusterId, snapshots) {
      const nowMs = yield* Clock.currentTimeMillis
      const plausible = snapshots.filter((snapshot) => isPlausible(snapshot, nowMs))
      if (plausible.length === 0) return { stored: 0, repeated: 0, refused: snapshots.length }
      const [counts] = yield* inTurn(clusterId, settled(insert(clusterId, plausible)))
      const { own, stored } = counts ?? { own: 0, stored: 0 }
      return { stored, repeated: own - stored, refused: snapshots.length - own }
    }),

    putCapacity: Effect.fn("UsageStore.putCapacity")(function* ({ clusterId, currentPodCount, softLimit }) {
      const atMs = yield* Clock.currentTimeMillis
      yield* settled(sql`
        INSERT INTO cluster_capacity (cluster_id, current_pod_count, soft_limit, at_ms)
        VALUES (${clusterId}::uuid, ${currentPodCount}, ${softLimit}, ${atMs})
        ON CONFLICT (cluster_id) DO UPDATE SET current_pod_count = excluded.current_pod_count,
          soft_limit = excluded.soft_limit, at_ms = excluded.at_ms
        WHERE cluster_capacity.at_ms <= excluded.at_ms - ${capacityEveryMs}::bigint`)
    }),

    capacityOf: (clusterId) =>
      Effect.map(
        settled(
          sql<KnownCapacity>`
            SELECT current_pod_count AS "currentPodCount", soft_limit AS "softLimit", at_ms::float8 AS "atMs"
            FROM cluster_capacity WHERE cluster_id = ${clusterId}::uuid`
        ),
        (rows) => Option.fromNullishOr(rows[0])
      )
  })
})

/** Needs the tables of `JournalSchema`. */
export const layer = (
  settings: Partial<UsageSettings> = {}
): Layer.Layer<UsageStore, never, PgClient.PgClient> =>
  Layer.effect(UsageStore, make({ ...defaults, ...settings }))
