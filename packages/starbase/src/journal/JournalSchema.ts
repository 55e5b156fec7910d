/** The tables of the journal. Migrations are only ever added; a released one never changes. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import { unhurried } from "../Database.ts"

const createJournal = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE journal (
    entity_type text NOT NULL,
    entity_id text NOT NULL,
    sequence integer NOT NULL,
    event jsonb NOT NULL,
    actor text NOT NULL,
    request_id text NOT NULL,
    at_ms bigint NOT NULL,
    PRIMARY KEY (entity_type, entity_id, sequence)
  )`
  yield* sql`CREATE TABLE requests (
    entity_type text NOT NULL,
    entity_id text NOT NULL,
    request_id text NOT NULL,
    payload_hash text NOT NULL,
    reply jsonb NOT NULL,
    sequence integer NOT NULL,
    at_ms bigint NOT NULL,
    PRIMARY KEY (entity_type, entity_id, request_id)
  )`
  yield* sql`CREATE TABLE snapshots (
    entity_type text NOT NULL,
    entity_id text NOT NULL,
    sequence integer NOT NULL,
    state jsonb NOT NULL,
    at_ms bigint NOT NULL,
    PRIMARY KEY (entity_type, entity_id)
  )`
  yield* sql`CREATE TABLE outbox (
    entity_type text NOT NULL,
    entity_id text NOT NULL,
    sequence integer NOT NULL,
    position integer NOT NULL,
    effect jsonb NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_ms bigint NOT NULL DEFAULT 0,
    problem text,
    PRIMARY KEY (entity_type, entity_id, sequence, position)
  )`
  yield* sql`CREATE TABLE names (
    kind text NOT NULL,
    name text NOT NULL,
    owner_type text NOT NULL,
    owner_id text NOT NULL,
    CONSTRAINT names_pkey PRIMARY KEY (kind, name)
  )`
  yield* sql`CREATE TABLE read_models (
    model text NOT NULL,
    key text NOT NULL,
    parent text NOT NULL,
    entity_type text NOT NULL,
    entity_id text NOT NULL,
    row jsonb NOT NULL,
    PRIMARY KEY (model, key)
  )`
  yield* sql`CREATE INDEX read_models_by_parent ON read_models (model, parent, key)`
})

/** By owner, as a rebuild asks for them (INV-JRN-8). */
const indexOwners = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE INDEX read_models_by_entity ON read_models (entity_type, entity_id)`
  yield* sql`CREATE INDEX names_by_owner ON names (owner_type, owner_id)`
})

/** What operators did, who holds which shard, and which runners are to take none. Written and read beside the journal. */
const inspectRunners = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE operator_audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    outcome text NOT NULL
  )`
  yield* sql`CREATE TABLE shard_moves (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms bigint NOT NULL,
    runner text NOT NULL,
    kind text NOT NULL,
    shards jsonb NOT NULL
  )`
  yield* sql`CREATE TABLE shard_owners (
    shard text PRIMARY KEY,
    runner text NOT NULL,
    since_ms bigint NOT NULL
  )`
  yield* sql`CREATE TABLE runner_drains (
    runner text PRIMARY KEY,
    at_ms bigint NOT NULL
  )`
})

/**
 * Which effects of an entity wait for each other: `lineOf` says the same. Generated, so that rows which an older runner
 * still writes have it.
 */
const lineUpEffects = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`ALTER TABLE outbox ADD COLUMN line text NOT NULL GENERATED ALWAYS AS (
    CASE WHEN effect->>'_tag' = 'TellObserved' THEN coalesce(effect->>'appId', '') ELSE '' END) STORED`
  yield* sql`CREATE INDEX outbox_by_line ON outbox (entity_type, entity_id, line, sequence, position)`
})

/** Which runners reach which. By the database's clock: those of runners may be wrong. */
const seeRunners = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE runner_views (
    observer text PRIMARY KEY,
    seen jsonb NOT NULL,
    at timestamptz NOT NULL
  )`
})

const migrate = Migrator.make({})({
  loader: Migrator.fromRecord({
    "0001_create_journal": createJournal,
    "0002_index_owners": indexOwners,
    "0003_inspect_runners": inspectRunners,
    "0004_line_up_effects": lineUpEffects,
    "0005_see_runners": seeRunners
  }),
  table: "starbase_migrations"
})

/** Brings the database up to date before anything that depends on it is built. Safe to run from many processes. */
export const layer = Layer.effectDiscard(unhurried(migrate))
