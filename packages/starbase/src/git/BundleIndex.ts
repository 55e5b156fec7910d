/** The newest bundle of each repository, on PostgreSQL; the bundles themselves are blobs (INV-GIT-7). */
import type { Digest } from "@starform/domain/ids/Digest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { RepositoryName } from "./RepositoryName.ts"

export interface KnownBundle {
  readonly digest: Digest
  /** SHA-256 (hex) of the refs that the repository had before the bundle was written. */
  readonly refsHash: string
  /** The bundle before it, when its blob may not have been deleted yet. */
  readonly superseded: Digest | null
}

export class BundleIndex extends Context.Service<
  BundleIndex,
  {
    readonly newest: (name: RepositoryName) => Effect.Effect<Option.Option<KnownBundle>, SqlError>
    /**
     * From here on this one is the newest, and `instead`, which must have been it, is superseded. Answers `false`, and
     * changes nothing, when another process has recorded one meanwhile: its may be of newer refs.
     */
    readonly record: (
      name: RepositoryName,
      digest: Digest,
      refsHash: string,
      instead: Digest | null
    ) => Effect.Effect<boolean, SqlError>
    /** Whether it is the newest bundle of any repository: equal repositories have equal bundles. */
    readonly isNewest: (digest: Digest) => Effect.Effect<boolean, SqlError>
    /** The superseded blob is gone. */
    readonly forget: (name: RepositoryName, superseded: Digest) => Effect.Effect<void, SqlError>
  }
>()("@starform/starbase/git/BundleIndex") {}

const createTable = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`SELECT pg_advisory_xact_lock(hashtext('repository_bundles'))`
  yield* sql`CREATE TABLE IF NOT EXISTS repository_bundles (
    project_id text NOT NULL,
    service text NOT NULL,
    digest text NOT NULL,
    refs_hash text NOT NULL,
    superseded text,
    PRIMARY KEY (project_id, service)
  )`
}).pipe((create) => Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(create)))

/** Creates its table unless it is there. */
export const layerPostgres: Layer.Layer<BundleIndex, SqlError, SqlClient.SqlClient> = Layer.effect(
  BundleIndex,
  Effect.gen(function* () {
    yield* createTable
    const sql = yield* SqlClient.SqlClient
    return BundleIndex.of({
      newest: ({ projectId, service }) =>
        sql<KnownBundle>`
          SELECT digest, refs_hash AS "refsHash", superseded FROM repository_bundles
          WHERE project_id = ${projectId} AND service = ${service}`.pipe(
          Effect.map((rows) => Option.fromNullishOr(rows[0]))
        ),
      record: ({ projectId, service }, digest, refsHash, instead) =>
        sql`
          INSERT INTO repository_bundles AS held (project_id, service, digest, refs_hash)
          VALUES (${projectId}, ${service}, ${digest}, ${refsHash})
          ON CONFLICT (project_id, service) DO UPDATE SET
            superseded = CASE WHEN held.digest = excluded.digest THEN held.superseded ELSE held.digest END,
            digest = excluded.digest, refs_hash = excluded.refs_hash
            WHERE held.digest = ${instead}::text
          RETURNING digest`.pipe(Effect.map((rows) => rows.length === 1)),
      isNewest: (digest) =>
        sql<{ found: boolean }>`
          SELECT EXISTS (SELECT 1 FROM repository_bundles WHERE digest = ${digest}) AS found`.pipe(
          Effect.map((rows) => rows[0]?.found === true)
        ),
      forget: ({ projectId, service }, superseded) =>
        Effect.asVoid(sql`
          UPDATE repository_bundles SET superseded = NULL
          WHERE project_id = ${projectId} AND service = ${service} AND superseded = ${superseded}`)
    })
  })
)
