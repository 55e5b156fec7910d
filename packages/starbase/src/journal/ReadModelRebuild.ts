/**
 * Makes read models and names again from the journal, one entity after the other, beside living processes (INV-JRN-8).
 * An operator's command runs it; nothing else does.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"
import { type EntityKey, Journal, JournalUnavailable, type ReservedName } from "./Journal.ts"
import type { Account, EntityFold, ReadModelFold } from "./ReadModelFold.ts"

export interface RebuildSettings {
  readonly eventsPerPage: number
  readonly entitiesPerPage: number
}

export const defaults: RebuildSettings = { eventsPerPage: 1_000, entitiesPerPage: 500 }

/** Appends queue behind a lock that waits: it gives up before anybody's request does. */
const lockTimeout = "5s"

/** A name that the events of two entities claim; the one that holds it keeps it. */
export interface ContestedName extends ReservedName {
  readonly claimedBy: EntityKey
  readonly heldBy: EntityKey
}

/** An entity that was left as it is, and why. */
export interface Skipped {
  readonly key: EntityKey
  readonly problem: string
}

export interface RebuildReport {
  readonly entities: number
  readonly events: number
  /** Rows and names that were missing or different, and those that no event accounts for. */
  readonly written: number
  readonly removed: number
  readonly contested: ReadonlyArray<ContestedName>
  readonly skipped: ReadonlyArray<Skipped>
}

/** The journal has events of an entity type that this program does not know; a newer one does. */
export class UnknownEntityType extends Schema.TaggedError<UnknownEntityType>()("UnknownEntityType", {
  type: Schema.String
}) {
  override get message() {
    return `this program knows no entity type ${this.type}`
  }
}

const unavailable = (cause: SqlError) => new JournalUnavailable({ operation: "rebuild", cause })

/** Of whatever has no events: it accounts for nothing. */
const nothing: Account = { rows: [], names: [] }

interface Counts {
  readonly written: number
  readonly removed: number
}

const rowsStatement = `
WITH wanted AS (
    SELECT r->>'model' AS model, r->>'key' AS key, r->>'parent' AS parent, r->'row' AS row
    FROM jsonb_array_elements($3::jsonb) AS r),
  removed AS (
    DELETE FROM read_models AS held WHERE held.entity_type = $1 AND held.entity_id = $2
      AND NOT EXISTS (SELECT 1 FROM wanted WHERE wanted.model = held.model AND wanted.key = held.key)
    RETURNING 1),
  written AS (
    INSERT INTO read_models AS held (model, key, parent, entity_type, entity_id, row)
    SELECT model, key, parent, $1, $2, row FROM wanted
    ON CONFLICT (model, key) DO UPDATE SET parent = excluded.parent, entity_type = excluded.entity_type,
      entity_id = excluded.entity_id, row = excluded.row
    WHERE (held.parent, held.entity_type, held.entity_id, held.row)
      IS DISTINCT FROM (excluded.parent, excluded.entity_type, excluded.entity_id, excluded.row)
    RETURNING 1)
SELECT (SELECT count(*) FROM written)::integer AS written, (SELECT count(*) FROM removed)::integer AS removed`

const namesStatement = `
WITH wanted AS (SELECT r->>'kind' AS kind, r->>'name' AS name FROM jsonb_array_elements($3::jsonb) AS r),
  removed AS (
    DELETE FROM names AS held WHERE held.owner_type = $1 AND held.owner_id = $2
      AND NOT EXISTS (SELECT 1 FROM wanted WHERE wanted.kind = held.kind AND wanted.name = held.name)
    RETURNING 1),
  written AS (
    INSERT INTO names (kind, name, owner_type, owner_id) SELECT kind, name, $1, $2 FROM wanted
    ON CONFLICT (kind, name) DO NOTHING RETURNING 1)
SELECT (SELECT count(*) FROM written)::integer AS written, (SELECT count(*) FROM removed)::integer AS removed`

const contestedStatement = `
SELECT names.kind, names.name, owner_type AS type, owner_id AS id FROM names, jsonb_array_elements($3::jsonb) AS r
WHERE names.kind = r->>'kind' AND names.name = r->>'name' AND NOT (owner_type = $1 AND owner_id = $2)`

/** The next entities that have events, rows or names, by key. */
const entitiesStatement = `
SELECT type, id FROM (
  (SELECT DISTINCT entity_type AS type, entity_id AS id FROM journal
    WHERE (entity_type, entity_id) > ($1, $2) ORDER BY 1, 2 LIMIT $3)
  UNION (SELECT DISTINCT entity_type, entity_id FROM read_models
    WHERE (entity_type, entity_id) > ($1, $2) ORDER BY 1, 2 LIMIT $3)
  UNION (SELECT DISTINCT owner_type, owner_id FROM names
    WHERE (owner_type, owner_id) > ($1, $2) ORDER BY 1, 2 LIMIT $3)) AS entities
ORDER BY type, id LIMIT $3`

/** Makes an entity's rows and names what its events say. Idempotent. */
const makeRebuildEntity = (
  sql: PgClient.PgClient,
  journal: Journal["Service"],
  folds: ReadonlyMap<string, EntityFold>,
  { eventsPerPage }: RebuildSettings
) => {
  const takeAll = Effect.fnUntraced(function* (key: EntityKey, fold: ReadModelFold | undefined) {
    let page = yield* journal.read(key, fold?.sequence() ?? 0, eventsPerPage)
    while (page.length > 0) {
      if (fold === undefined) return yield* new UnknownEntityType({ type: key.type })
      yield* fold.take(page)
      page = yield* journal.read(key, fold.sequence(), eventsPerPage)
    }
  })

  const settle = Effect.fnUntraced(function* (key: EntityKey, { rows, names }: Account) {
    const run = <Row extends object>(statement: string, wanted: ReadonlyArray<unknown>) =>
      sql.unsafe<Row>(statement, [key.type, key.id, JSON.stringify(wanted)])
    const changed = [
      ...(yield* run<Counts>(rowsStatement, rows)),
      ...(yield* run<Counts>(namesStatement, names))
    ]
    const held = yield* run<ReservedName & EntityKey>(contestedStatement, names)
    return {
      written: changed.reduce((sum, { written }) => sum + written, 0),
      removed: changed.reduce((sum, { removed }) => sum + removed, 0),
      contested: held.map(({ kind, name, type, id }): ContestedName => ({
        kind,
        name,
        claimedBy: key,
        heldBy: { type, id }
      }))
    }
  })

  return Effect.fnUntraced(
    function* (key: EntityKey) {
      const fold = folds.get(key.type)?.begin(key.id)
      yield* takeAll(key, fold)
      const locked = Effect.gen(function* () {
        yield* sql`SELECT set_config('lock_timeout', ${lockTimeout}, true)`
        yield* sql`LOCK TABLE journal IN SHARE ROW EXCLUSIVE MODE`
        yield* takeAll(key, fold)
        return yield* settle(key, fold?.account() ?? nothing)
      })
      const settled = yield* sql.withTransaction(locked)
      return { ...settled, events: fold?.sequence() ?? 0 }
    },
    Effect.catchTag("SqlError", (cause) => Effect.fail(unavailable(cause)))
  )
}

/**
 * @param folds of every entity type that this program knows
 * @errors JournalUnavailable when the database did not answer, or a lock was not to be had: run it again
 */
export const rebuild = Effect.fnUntraced(function* (
  folds: ReadonlyArray<EntityFold>,
  overrides: Partial<RebuildSettings> = {}
) {
  const sql = yield* PgClient.PgClient
  const settings = { ...defaults, ...overrides }
  const byType = new Map(folds.map((fold) => [fold.type, fold]))
  const rebuildEntity = makeRebuildEntity(sql, yield* Journal, byType, settings)
  const skipped: Array<Skipped> = []
  const again: Array<EntityKey> = []
  let contested: ReadonlyArray<ContestedName> = []
  let [entities, events, written, removed] = [0, 0, 0, 0]

  const one = Effect.fnUntraced(
    function* (key: EntityKey) {
      const done = yield* rebuildEntity(key)
      written += done.written
      removed += done.removed
      return done
    },
    (effect, key) => {
      const skip = ({ message: problem }: { readonly message: string }) =>
        Effect.as(
          Effect.sync(() => skipped.push({ key, problem })),
          null
        )
      return Effect.catchTags(effect, { SchemaError: skip, UnknownEntityType: skip })
    }
  )

  let after: EntityKey | undefined = { type: "", id: "" }
  while (after !== undefined) {
    const page: ReadonlyArray<EntityKey> = yield* sql
      .unsafe<EntityKey>(entitiesStatement, [after.type, after.id, settings.entitiesPerPage])
      .pipe(Effect.mapError(unavailable))
    for (const key of page) {
      const done = yield* one(key)
      entities += 1
      events += done?.events ?? 0
      if (done !== null && done.contested.length > 0) again.push(key)
    }
    after = page.at(-1)
  }
  // Whoever held a name without an event for it has lost it by now.
  for (const key of again) contested = [...contested, ...((yield* one(key))?.contested ?? [])]
  return { entities, events, written, removed, contested, skipped } satisfies RebuildReport
})

const nameOf = ({ type, id }: EntityKey) => `${type} ${id}`

/** One line for the operator. */
export const summaryOf = ({ entities, events, written, removed }: RebuildReport): string =>
  `${entities} entities, ${events} events: ${written} rows and names written, ${removed} removed`

/** A line for each thing that an operator must look at. */
export const problemsOf = ({ contested, skipped }: RebuildReport): ReadonlyArray<string> => [
  ...skipped.map(({ key, problem }) => `${nameOf(key)} was left as it is: ${problem}`),
  ...contested.map(
    ({ kind, name, claimedBy, heldBy }) =>
      `${kind} ${name} stays with ${nameOf(heldBy)}; the events of ${nameOf(claimedBy)} claim it too`
  )
]
