/** Rows of read models on PostgreSQL; appends and the rebuild write them. */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SqlError } from "effect/sql/SqlError"
import { JournalUnavailable } from "../Journal.ts"
import type * as ReadModels from "../ReadModels.ts"

const unavailable = (operation: string) => (cause: SqlError) => new JournalUnavailable({ operation, cause })

export const make = (sql: PgClient.PgClient): ReadModels.ReadModels["Service"] => ({
  get: (model, key) =>
    sql<{ row: unknown }>`SELECT row FROM read_models WHERE model = ${model} AND key = ${key}`.pipe(
      Effect.map((rows) => Option.fromNullishOr(rows[0]?.row)),
      Effect.mapError(unavailable("get"))
    ),
  list: (model, parent) =>
    sql<{ row: unknown }>`
      SELECT row FROM read_models WHERE model = ${model} AND parent = ${parent} ORDER BY key`.pipe(
      Effect.map((rows) => rows.map(({ row }) => row)),
      Effect.mapError(unavailable("list"))
    ),
  holder: (kind, name) =>
    sql<{ id: string }>`SELECT owner_id AS id FROM names WHERE kind = ${kind} AND name = ${name}`.pipe(
      Effect.map((rows) => Option.fromNullishOr(rows[0]?.id)),
      Effect.mapError(unavailable("holder"))
    )
})
