/**
 * The one statement that writes a group of appends. It judges each member by what it sees, writes those that pass, and
 * returns those that do not. Whoever is overtaken between the look and the insert meets a primary key: then the whole
 * statement fails, nothing is written, and the group is tried again. Values come as arrays, a row each; the selects
 * around the parameters keep PostgreSQL from planning for their lengths, at every use, anew.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"
import type { Append, EntityKey } from "../Journal.ts"

/** NOTIFY channel that tells the relay about new rows. */
export const channel = "starform_outbox"

/** An append on its way, with everything that is JSON made before it meets others. */
export interface Entry {
  readonly key: EntityKey
  readonly append: Append
  readonly reply: string | null
  readonly events: ReadonlyArray<string>
  readonly effects: ReadonlyArray<string>
  /** One for each model and key, the last. `null` removes. */
  readonly rows: ReadonlyArray<{
    readonly model: string
    readonly key: string
    readonly parent: string
    readonly row: string | null
  }>
  readonly bytes: number
}

/** A member that was not written, by its place in the group from 1 on. 0 is the notification. */
export interface Loser {
  readonly member: number
  readonly knownHash: string | null
  readonly knownReply: unknown
  readonly knownSequence: number | null
  readonly isStale: boolean
  readonly heldKind: string | null
  readonly heldName: string | null
}

type ColumnType = "text" | "integer" | "float8"

const oids: Readonly<Record<ColumnType, number>> = {
  text: PgTypes.OID.text,
  integer: PgTypes.OID.int4,
  float8: PgTypes.OID.float8
}

/** Of each table that the statement reads from its parameters: the columns' types. */
const tables = {
  members: ["text", "text", "integer", "integer", "text", "text", "float8", "text", "text"],
  events: ["integer", "integer", "text"],
  effects: ["integer", "integer", "text"],
  released: ["integer", "text", "text"],
  reserved: ["integer", "text", "text"],
  rows: ["integer", "text", "text", "text", "text"]
} as const satisfies Record<string, ReadonlyArray<ColumnType>>

const columnTypes: ReadonlyArray<ColumnType> = Object.values(tables).flat()

/** Each table's place among the parameters. */
const firsts = { members: 1, events: 10, effects: 13, released: 16, reserved: 19, rows: 22 }

const table = (name: keyof typeof tables) => {
  const columns = tables[name].map((type, index) => `(SELECT $${firsts[name] + index}::${type}[])`)
  return `unnest(${columns.join(", ")})`
}

/** Rows are written in the order of their keys, so that two groups never wait for each other. */
export const statement = `
WITH judged AS MATERIALIZED (
    SELECT m.*, known.payload_hash AS known_hash, known.reply AS known_reply, known.sequence AS known_sequence,
      held.kind AS held_kind, held.name AS held_name,
      m.after <> coalesce((SELECT max(newest.sequence) FROM journal AS newest
        WHERE newest.entity_type = m.entity_type AND newest.entity_id = m.entity_id), 0) AS is_stale
    FROM ${table("members")} WITH ORDINALITY
      AS m(entity_type, entity_id, after, last, actor, request_id, at_ms, payload_hash, reply, member)
    LEFT JOIN LATERAL (SELECT * FROM requests WHERE requests.entity_type = m.entity_type
        AND requests.entity_id = m.entity_id AND requests.request_id = m.request_id
        AND m.payload_hash IS NOT NULL LIMIT 1) AS known ON true
    LEFT JOIN LATERAL (SELECT names.kind, names.name FROM ${table("reserved")} AS r(member, kind, name)
        JOIN names ON names.kind = r.kind AND names.name = r.name
        WHERE r.member = m.member AND (names.owner_type, names.owner_id) <> (m.entity_type, m.entity_id)
        LIMIT 1) AS held ON true),
  winner AS MATERIALIZED (
    SELECT * FROM judged WHERE known_hash IS NULL AND NOT is_stale AND held_kind IS NULL),
  appended AS (
    INSERT INTO journal (entity_type, entity_id, sequence, event, actor, request_id, at_ms)
    SELECT entity_type, entity_id, after + e.n, e.event::jsonb, actor, request_id, at_ms
    FROM winner JOIN ${table("events")} AS e(member, n, event) ON e.member = winner.member ORDER BY 1, 2, 3),
  replied AS (
    INSERT INTO requests (entity_type, entity_id, request_id, payload_hash, reply, sequence, at_ms)
    SELECT entity_type, entity_id, request_id, payload_hash, reply::jsonb, last, at_ms
    FROM winner WHERE payload_hash IS NOT NULL ORDER BY 1, 2),
  caused AS (
    INSERT INTO outbox (entity_type, entity_id, sequence, position, effect)
    SELECT entity_type, entity_id, last, e.n, e.effect::jsonb
    FROM winner JOIN ${table("effects")} AS e(member, n, effect) ON e.member = winner.member ORDER BY 1, 2, 3, 4
    RETURNING 1),
  released AS (
    DELETE FROM names USING winner, ${table("released")} AS r(member, kind, name)
    WHERE r.member = winner.member AND names.kind = r.kind AND names.name = r.name
      AND names.owner_type = winner.entity_type AND names.owner_id = winner.entity_id),
  reserved AS (
    INSERT INTO names (kind, name, owner_type, owner_id)
    SELECT r.kind, r.name, entity_type, entity_id
    FROM winner JOIN ${table("reserved")} AS r(member, kind, name) ON r.member = winner.member
    WHERE NOT EXISTS (SELECT 1 FROM names WHERE names.kind = r.kind AND names.name = r.name) ORDER BY 1, 2),
  changed AS MATERIALIZED (
    SELECT entity_type, entity_id, r.model, r.key, r.parent, r.row::jsonb AS row
    FROM winner JOIN ${table("rows")} AS r(member, model, key, parent, row) ON r.member = winner.member),
  removed AS (
    DELETE FROM read_models USING changed
    WHERE read_models.model = changed.model AND read_models.key = changed.key AND changed.row IS NULL),
  projected AS (
    INSERT INTO read_models (model, key, parent, entity_type, entity_id, row)
    SELECT model, key, parent, entity_type, entity_id, row FROM changed
    WHERE row IS NOT NULL AND NOT EXISTS (SELECT 1 FROM read_models AS held
      WHERE held.model = changed.model AND held.key = changed.key AND held.parent = changed.parent
        AND held.entity_type = changed.entity_type AND held.entity_id = changed.entity_id
        AND held.row = changed.row)
    ORDER BY 1, 2
    ON CONFLICT (model, key) DO UPDATE SET parent = excluded.parent, entity_type = excluded.entity_type,
      entity_id = excluded.entity_id, row = excluded.row)
SELECT member::integer, known_hash AS "knownHash", known_reply AS "knownReply", known_sequence AS "knownSequence",
  is_stale AS "isStale", held_kind AS "heldKind", held_name AS "heldName"
FROM judged WHERE known_hash IS NOT NULL OR is_stale OR held_kind IS NOT NULL
UNION ALL
SELECT 0, NULL, NULL, NULL, pg_notify('${channel}', '') IS NULL, NULL, NULL
FROM (SELECT 1 FROM caused LIMIT 1) AS any_caused`

/** The arrays of the statement, column by column. */
export const parametersOf = (group: ReadonlyArray<Entry>): ReadonlyArray<PgTypes.Parameter> => {
  const columns: ReadonlyArray<Array<unknown>> = columnTypes.map(() => [])
  const add = (name: keyof typeof firsts, ...values: ReadonlyArray<unknown>) =>
    values.forEach((value, index) => columns[firsts[name] - 1 + index]!.push(value))
  group.forEach(({ key, append, reply, events: newEvents, effects: caused, rows: changed }, index) => {
    const member = index + 1
    const { after, actor, requestId, atMs } = append
    const hash = append.reply?.payloadHash ?? null
    add("members", key.type, key.id, after, after + newEvents.length, actor, requestId, atMs, hash, reply)
    newEvents.forEach((event, n) => add("events", member, n + 1, event))
    caused.forEach((effect, n) => add("effects", member, n + 1, effect))
    for (const { kind, name } of append.release) {
      const isKept = append.reserve.some((other) => other.kind === kind && other.name === name)
      if (!isKept) add("released", member, kind, name)
    }
    const names = new Map(append.reserve.map((wanted) => [`${wanted.kind} ${wanted.name}`, wanted]))
    for (const { kind, name } of names.values()) add("reserved", member, kind, name)
    for (const row of changed) add("rows", member, row.model, row.key, row.parent, row.row)
  })
  return columns.map((values, index) =>
    Result.getOrThrow(PgTypes.array(values, oids[columnTypes[index] ?? "text"]))
  )
}

/** @throws what JSON cannot say (a bigint, a cycle), before anybody else is concerned */
export const entryOf = (key: EntityKey, append: Append): Entry => {
  const json = (value: unknown): string => JSON.stringify(value) ?? "null"
  const reply = append.reply === null ? null : json(append.reply.reply)
  const newEvents = append.events.map(json)
  const caused = append.effects.map(json)
  const last = new Map(append.rows.map((row) => [`${row.model} ${row.key}`, row]))
  const changed = Array.from(last.values(), ({ row, ...place }) => ({
    ...place,
    row: row === null ? null : json(row)
  }))
  const sum = (texts: ReadonlyArray<string>) => texts.reduce((bytes, text) => bytes + text.length, 0)
  const bytes = sum(newEvents) + sum(caused) + sum(changed.map(({ row }) => row ?? "")) + (reply?.length ?? 0)
  return { key, append, reply, events: newEvents, effects: caused, rows: changed, bytes }
}
