/** Forgets stored messages of workflows that ended long ago. Decision 0020 has which keys could come again, and what then. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as MachineId from "effect/cluster/MachineId"
import * as Snowflake from "effect/cluster/Snowflake"
import * as Effect from "effect/Effect"

/** Messages that one statement looks at. */
export const batchMax = 500

export interface Sweep {
  /** Where the next batch goes on; `null` after the last one. */
  readonly next: string | null
  readonly forgotten: number
}

/**
 * Whether a run has ended for good, by its last reply: it completed, or broke. One that is suspended goes on, and what is
 * written in another way than effect 4.1 writes it is left alone, and so is what ended of late ($2).
 */
const isOver = (run: string, reply: string) =>
  `(${run}.id IS NULL OR (${run}.processed AND ${reply}.id < $2::bigint AND (
    starts_with(${reply}.payload, '{"_tag":"Success","value":{"_tag":"Complete"')
    OR starts_with(${reply}.payload, '{"_tag":"Failure"'))))`

/**
 * The key of the run that a message belongs to is its unique `message_id`, so that each look-up is one of an index. A clock
 * belongs to the run that it wakes; a build also to the run of its deploy, which would begin it again without its messages.
 */
const statement = `
WITH seen AS MATERIALIZED (
    SELECT m.id, m.processed, m.kind, m.message_id, m.entity_type || '/' || m.entity_id || '/' || m.tag || '/' AS own_key,
      CASE m.entity_type WHEN 'Workflow/-/DurableClock' THEN 'Workflow/' || (m.payload::jsonb ->> 'workflowName')
        ELSE m.entity_type END || '/' || m.entity_id || '/run/' AS run_key
    FROM cluster_messages m WHERE m.id > $1::bigint AND m.id < $2::bigint AND m.entity_type LIKE 'Workflow/%'
    ORDER BY m.id LIMIT ${batchMax}),
  judged AS (
    SELECT seen.id, seen.processed AND seen.run_key IS NOT NULL
      AND (seen.kind <> 0 OR starts_with(seen.message_id, seen.own_key))
      AND ${isOver("run", "run_reply")} AND ${isOver("parent", "parent_reply")} AS is_over
    FROM seen
    LEFT JOIN cluster_messages run ON run.message_id = seen.run_key
    LEFT JOIN cluster_replies run_reply ON run_reply.id = run.last_reply_id
    LEFT JOIN LATERAL (SELECT run.payload::jsonb -> '~effect/cluster/ClusterWorkflowEngine/payloadParentKey' AS key) AS by
      ON true
    LEFT JOIN cluster_messages parent ON parent.message_id
      = 'Workflow/' || (by.key ->> 'workflowName') || '/' || (by.key ->> 'executionId') || '/run/'
    LEFT JOIN cluster_replies parent_reply ON parent_reply.id = parent.last_reply_id),
  over AS MATERIALIZED (SELECT id FROM judged WHERE is_over),
  replies AS (DELETE FROM cluster_replies WHERE request_id IN (SELECT id FROM over)),
  messages AS (DELETE FROM cluster_messages WHERE id IN (SELECT id FROM over))
SELECT (SELECT max(id)::text FROM judged) AS last, (SELECT count(*)::integer FROM judged) AS looked,
  (SELECT count(*)::integer FROM over) AS forgotten`

/** What an id that is made at this time is not below. */
const idAt = (atMs: number) =>
  String(Snowflake.make({ timestamp: atMs, machineId: MachineId.make(0), sequence: 0 }))

/** The first place of a sweep. */
export const beginning = "0"

/**
 * One batch. Safe beside a living Starbase, and to be done twice.
 *
 * @param beforeMs messages and last replies that are younger stay
 * @param after `beginning`, or `next` of the batch before
 */
export const sweep = Effect.fnUntraced(function* (beforeMs: number, after: string) {
  const sql = yield* PgClient.PgClient
  const [batch] = yield* sql.unsafe<{ last: string | null; looked: number; forgotten: number }>(statement, [
    after,
    idAt(beforeMs)
  ])
  const isLast = batch === undefined || batch.looked < batchMax
  return { next: isLast ? null : batch.last, forgotten: batch?.forgotten ?? 0 } satisfies Sweep
})
