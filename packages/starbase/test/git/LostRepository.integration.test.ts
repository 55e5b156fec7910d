/** A bare repository that is lost, and a whole Starbase that makes it again from its bundle (INV-GIT-7). */
import { existsSync, rmSync } from "node:fs"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { Digest } from "@starform/domain/ids/Digest"
import { BlobStore } from "@starform/starbase/storage/BlobStore"
import { GitRepositories } from "@starform/starbase/git/GitRepositories"
import { ProjectId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import * as GitClone from "../harness/GitClone.ts"
import * as GitWorld from "../harness/GitWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

interface Row {
  readonly projectId: string
  readonly digest: string
}

/** What the newest bundle of a service says of itself: its refs are text at its start. */
const bundleOf = Effect.fnUntraced(function* (service: string) {
  const sql = yield* PgClient.PgClient
  const blobs = yield* BlobStore
  const rows = yield* sql<Row>`
    SELECT project_id AS "projectId", digest FROM repository_bundles WHERE service = ${service}`
  const row = rows[0]
  if (row === undefined) return { refs: "", digest: null, path: "" }
  const repositories = yield* GitRepositories
  const digest = Digest.make(row.digest)
  const bytes = yield* Effect.orElseSucceed(blobs.getBytes(digest), () => new Uint8Array())
  const name = { projectId: ProjectId.make(row.projectId), service: Slug.make(service) }
  return { refs: new TextDecoder("latin1").decode(bytes), digest, path: repositories.pathOf(name) }
})

const bundled = (service: string, ...lines: ReadonlyArray<string>) =>
  GitClone.until(`a bundle with ${lines}`, bundleOf(service), ({ refs }) =>
    lines.every((line) => refs.includes(`${line}\n`))
  )

const builds = new GitWorld.Builds()

const starbase = GitWorld.layerNew.pipe(Layer.provideMerge(StarbaseProcess.layer(builds.script)))

it.layer(starbase, { timeout: 60_000, excludeTestServices: true })("a lost repository", (it) => {
  it.effect("INV-GIT-7 is cloned with its history all the same, and pushed to again", () =>
    Effect.gen(function* () {
      const remote = yield* GitWorld.remoteOf("lost")
      const clone = yield* GitClone.empty
      yield* clone.commit({ app: "1" })
      yield* clone.git("push", remote, "main")
      const live = yield* clone.commit({ app: "2" })
      yield* clone.git("push", remote, "main", "main:notes")
      const kept = yield* bundled("lost", `${live} refs/heads/main`, `${live} refs/heads/notes`)
      assert.isTrue(existsSync(kept.path))
      rmSync(kept.path, { recursive: true })

      const other = yield* GitClone.of(remote)
      assert.strictEqual(
        yield* other.git("log", "--format=%H", "main"),
        yield* clone.git("log", "--format=%H")
      )
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote, "notes"), live)
      const next = yield* other.commit({ app: "3" })
      const pushed = yield* other.run("push", remote, "main")
      assert.strictEqual(pushed.status, 0, pushed.output)
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), next)
      yield* bundled("lost", `${next} refs/heads/main`)
    })
  )

  it.effect("whose bundle is lost too begins anew: a push brings its history back", () =>
    Effect.gen(function* () {
      const remote = yield* GitWorld.remoteOf("forgotten")
      const clone = yield* GitClone.empty
      const first = yield* clone.commit({ app: "1" })
      yield* clone.git("push", remote, "main")
      const { digest, path } = yield* bundled("forgotten", `${first} refs/heads/main`)
      yield* Effect.flatMap(BlobStore, (blobs) => blobs.delete(digest!))
      rmSync(path, { recursive: true })
      assert.isNull(yield* GitWorld.branchAt(clone, remote))
      const second = yield* clone.commit({ app: "2" })
      yield* clone.git("push", remote, "main")
      const other = yield* GitClone.of(remote)
      assert.strictEqual(yield* other.git("log", "--format=%H"), `${second}\n${first}`)
      yield* bundled("forgotten", `${second} refs/heads/main`)
    })
  )
})

it.live(
  "INV-GIT-7 a bundle that a process did not write any more is written at the next start",
  () =>
    Effect.gen(function* () {
      const place = yield* StarbaseProcess.place
      const clone = yield* GitClone.empty
      const commit = yield* clone.commit({ app: "1" })
      const firstLife = yield* Scope.make()
      const first = yield* Layer.buildWithScope(
        GitWorld.layerNew.pipe(Layer.provideMerge(StarbaseProcess.layerAt(place, builds.script))),
        firstLife
      )
      const remote = yield* Effect.provide(GitWorld.remoteOf("late"), first)
      yield* clone.git("push", remote, "main")
      const { path } = yield* Effect.provide(bundled("late", `${commit} refs/heads/main`), first)
      yield* Effect.provide(
        Effect.flatMap(PgClient.PgClient, (sql) => sql`DELETE FROM repository_bundles`),
        first
      )
      yield* Scope.close(firstLife, Exit.void)

      const second = yield* Layer.build(
        GitWorld.layerAgain.pipe(Layer.provideMerge(StarbaseProcess.layerAt(place, builds.script)))
      )
      yield* Effect.provide(bundled("late", `${commit} refs/heads/main`), second)
      rmSync(path, { recursive: true })
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), commit)
    }).pipe(Effect.scoped),
  60_000
)
