/** Bundles of real repositories: written when something changed, one blob each, and made into repositories again. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { randomUUID } from "node:crypto"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { NodeServices } from "@effect/platform-node"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, FileSystem, Layer, Option, Schedule, Stream } from "effect"
import { systemError } from "effect/PlatformError"
import { ChildProcessSpawner } from "effect/process"
import { CommitSha, Digest } from "@starform/domain/ids/Digest"
import { ProjectId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import * as BundleIndex from "@starform/starbase/git/BundleIndex"
import { GitConfig } from "@starform/starbase/git/GitConfig"
import * as GitRepositories from "@starform/starbase/git/GitRepositories"
import * as RepositoryBundles from "@starform/starbase/git/RepositoryBundles"
import { pathIn, type RepositoryName } from "@starform/starbase/git/RepositoryName"
import { BlobStore, DiskFull } from "@starform/starbase/storage/BlobStore"
import * as BlobStoreMemory from "@starform/starbase/storage/BlobStoreMemory"
import * as GitClone from "../harness/GitClone.ts"
import { layerClient } from "../Postgres.ts"

const config = Layer.effect(
  GitConfig,
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "bundles-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ).pipe(
    Effect.map((directory) => ({
      host: "127.0.0.1",
      directory,
      socketPath: "/nonexistent",
      searchPath: "/usr/local/bin:/usr/bin:/bin",
      nodePath: process.execPath,
      pushBytesMax: 1024 ** 2,
      treeLimits: { entriesMax: 1_000, bytesMax: 1024 ** 2 },
      publicUrl: "http://127.0.0.1",
      commandLine: "starform",
      tokenAdvice: "",
      heartbeat: Duration.seconds(4),
      tokenLife: Duration.minutes(1)
    }))
  )
)

/** While it is true, puts are refused, and counted. */
const full = { is: false, refused: 0 }

const storage = Layer.effect(
  BlobStore,
  Effect.map(BlobStore, (memory) =>
    BlobStore.of({
      ...memory,
      put: (bytes) =>
        Effect.suspend(() => {
          if (!full.is) return memory.put(bytes)
          full.refused += 1
          return Effect.fail(new DiskFull({ operation: "put" }))
        })
    })
  )
).pipe(Layer.provide(BlobStoreMemory.layer))

const world = RepositoryBundles.layerWith({ pause: 0, retryInterval: "50 millis" }).pipe(
  Layer.provideMerge(BundleIndex.layerPostgres),
  Layer.provideMerge(Layer.mergeAll(config, storage, layerClient, NodeServices.layer))
)

/** A bare repository with one commit on `main`, and the clone that it came from. */
const repository = Effect.gen(function* () {
  const { directory } = yield* GitConfig
  const name: RepositoryName = { projectId: ProjectId.make(randomUUID()), service: Slug.make("api") }
  const path = pathIn(directory, name)
  mkdirSync(dirname(path), { recursive: true })
  const clone = yield* GitClone.empty
  yield* clone.git("init", "--quiet", "--bare", "--initial-branch=main", path)
  yield* clone.commit({ app: randomUUID() })
  yield* clone.git("push", "--quiet", path, "main")
  return { name, path, clone }
})

const newest = (name: RepositoryName) =>
  Effect.flatMap(BundleIndex.BundleIndex, (index) => Effect.map(index.newest(name), Option.getOrThrow))

/** git moves a branch, and is killed before it says so. */
const killed = Layer.effect(
  ChildProcessSpawner.ChildProcessSpawner,
  Effect.map(ChildProcessSpawner.ChildProcessSpawner, ({ spawn }) =>
    ChildProcessSpawner.make((command) =>
      Effect.map(spawn(command), (child) =>
        command._tag === "StandardCommand" && command.args.includes("update-ref")
          ? ChildProcessSpawner.makeHandle({
              ...child,
              exitCode: Effect.as(child.exitCode, ChildProcessSpawner.ExitCode(137))
            })
          : child
      )
    )
  )
)

const blobCount = Effect.flatMap(BlobStore, ({ list }) => Stream.runCount(list))

it.layer(world, { timeout: 60_000, excludeTestServices: true })("RepositoryBundles", (it) => {
  it.effect(
    "INV-GIT-7 writes nothing when no ref has changed, and one blob takes the place of the other",
    () =>
      Effect.gen(function* () {
        const bundles = yield* RepositoryBundles.RepositoryBundles
        const blobs = yield* BlobStore
        const { name, path, clone } = yield* repository
        const before = yield* blobCount
        yield* bundles.write(name)
        const first = yield* newest(name)
        yield* bundles.write(name)
        assert.deepStrictEqual(yield* newest(name), first)
        assert.strictEqual(yield* blobCount, before + 1)
        yield* clone.commit({ app: "2" })
        yield* clone.git("push", "--quiet", path, "main")
        yield* bundles.write(name)
        const second = yield* newest(name)
        assert.notStrictEqual(second.digest, first.digest)
        assert.isNull(second.superseded)
        assert.isTrue(Option.isNone(yield* blobs.stat(first.digest)))
        assert.strictEqual(yield* blobCount, before + 1)
      })
  )

  it.effect(
    "INV-GIT-7 deletes what a write that was cut off left, and writes again what the store has lost",
    () =>
      Effect.gen(function* () {
        const bundles = yield* RepositoryBundles.RepositoryBundles
        const blobs = yield* BlobStore
        const sql = yield* PgClient.PgClient
        const { name } = yield* repository
        yield* bundles.write(name)
        const { digest: left } = yield* blobs.putBytes(new TextEncoder().encode("an older bundle"))
        yield* sql`UPDATE repository_bundles SET superseded = ${left} WHERE project_id = ${name.projectId}`
        const { digest } = yield* newest(name)
        yield* blobs.delete(digest)
        yield* bundles.write(name)
        assert.isTrue(Option.isNone(yield* blobs.stat(left)))
        const kept = yield* newest(name)
        assert.isNull(kept.superseded)
        assert.isTrue(Option.isSome(yield* blobs.stat(kept.digest)))
      })
  )

  it.effect("INV-GIT-7 keeps a bundle that another repository shares", () =>
    Effect.gen(function* () {
      const bundles = yield* RepositoryBundles.RepositoryBundles
      const blobs = yield* BlobStore
      const sql = yield* PgClient.PgClient
      const [one, other] = [yield* repository, yield* repository]
      yield* bundles.write(one.name)
      const { digest } = yield* newest(one.name)
      yield* bundles.write(other.name)
      yield* sql`UPDATE repository_bundles SET superseded = ${digest} WHERE project_id = ${other.name.projectId}`
      yield* bundles.write(other.name)
      assert.isTrue(Option.isSome(yield* blobs.stat(digest)))
    })
  )

  it.effect(
    "restores every ref, over what a restore that was cut off left; and nothing of a bundle that is gone",
    () =>
      Effect.gen(function* () {
        const bundles = yield* RepositoryBundles.RepositoryBundles
        const blobs = yield* BlobStore
        const { name, path, clone } = yield* repository
        assert.isFalse(yield* bundles.restore({ ...name, service: Slug.make("other") }))
        const kept = "refs/starform/deploys/0198c0de-0000-7000-8001-000000000001"
        yield* clone.git("push", "--quiet", path, `main:${kept}`, "main:feature/x")
        const refs = yield* clone.git("ls-remote", path)
        yield* bundles.write(name)
        rmSync(path, { recursive: true })
        mkdirSync(path)
        writeFileSync(join(path, "description"), "half")
        assert.isTrue(yield* bundles.restore(name))
        assert.strictEqual(yield* clone.git("ls-remote", path), refs)
        assert.include(refs, kept)
        yield* clone.git("-C", path, "fsck", "--strict")

        rmSync(path, { recursive: true })
        yield* blobs.delete((yield* newest(name)).digest)
        assert.isFalse(yield* bundles.restore(name))
        assert.isFalse(existsSync(path))
        assert.deepStrictEqual(readdirSync(dirname(path)), [])
      })
  )

  it.effect(
    "INV-GIT-7 restores a repository once, whichever process is asked for it, and keeps what came since",
    () =>
      Effect.gen(function* () {
        const bundles = yield* RepositoryBundles.RepositoryBundles
        const { name, path, clone } = yield* repository
        yield* bundles.write(name)
        rmSync(path, { recursive: true })
        const restores = Array.from({ length: 4 }, () => bundles.restore(name))
        assert.deepStrictEqual(yield* Effect.all(restores, { concurrency: "unbounded" }), [
          true,
          true,
          true,
          true
        ])
        yield* clone.git("push", "--quiet", path, "main:feature/since")
        assert.isTrue(yield* bundles.restore(name))
        assert.include(yield* clone.git("ls-remote", path), "feature/since")
        assert.strictEqual(readdirSync(dirname(path)).length, 1)
      })
  )

  it.effect("INV-GIT-7 a process that was slow to write a bundle does not take the newest one's place", () =>
    Effect.gen(function* () {
      const index = yield* BundleIndex.BundleIndex
      const { name } = yield* repository
      const digests = [1, 2, 3].map((n) => Digest.make(`sha256:${String(n).repeat(64)}`))
      const [first, newer, slow] = digests as [Digest, Digest, Digest]
      assert.isTrue(yield* index.record(name, first, "a", null))
      assert.isTrue(yield* index.record(name, newer, "b", first))
      assert.isFalse(yield* index.record(name, slow, "a", first))
      assert.isFalse(yield* index.record(name, slow, "a", null))
      assert.deepInclude(yield* newest(name), { digest: newer, superseded: first })
    })
  )

  it.effect(
    "INV-GIT-7 looks again at what an earlier process left, when the disk did not answer at the start",
    () =>
      Effect.gen(function* () {
        const { name } = yield* repository
        const { projectId } = name
        let failures = 2
        const weak = Layer.effect(
          FileSystem.FileSystem,
          Effect.map(FileSystem.FileSystem, (fs) => ({
            ...fs,
            readDirectory: (path: string) =>
              Effect.suspend(() =>
                (path.endsWith(projectId) || failures === 2) && failures-- > 0
                  ? Effect.fail(
                      systemError({ _tag: "Unknown", module: "FileSystem", method: "readDirectory" })
                    )
                  : fs.readDirectory(path)
              )
          }))
        )
        yield* Layer.build(
          Layer.fresh(RepositoryBundles.layerWith({ pause: 0, retryInterval: "20 millis" })).pipe(
            Layer.provide(weak)
          )
        )
        const index = yield* BundleIndex.BundleIndex
        yield* GitClone.until("it has a bundle", index.newest(name), Option.isSome)
        assert.isAtMost(failures, 0)
      }).pipe(Effect.scoped)
  )

  it.effect("INV-GIT-7 writes later what could not be written at once", () =>
    Effect.gen(function* () {
      const bundles = yield* RepositoryBundles.RepositoryBundles
      const index = yield* BundleIndex.BundleIndex
      const { name } = yield* repository
      full.is = true
      yield* bundles.changed(name)
      yield* GitClone.until(
        "a put is refused",
        Effect.sync(() => full.refused),
        (refused) => refused > 0
      )
      assert.isTrue(Option.isNone(yield* index.newest(name)))
      full.is = false
      const known = yield* GitClone.until("the bundle is written", index.newest(name), Option.isSome)
      assert.isTrue(Option.isSome(known))
    })
  )

  it.effect(
    "INV-GIT-7 writes the bundle of a branch that moved, although git was killed before it said so",
    () =>
      Effect.gen(function* () {
        const { name, path, clone } = yield* repository
        yield* (yield* RepositoryBundles.RepositoryBundles).write(name)
        const first = yield* newest(name)
        const commit = yield* clone.commit({ app: "2" })
        yield* clone.git("push", "--quiet", path, "HEAD:refs/keep/second")
        const context = yield* Layer.build(GitRepositories.layerNoDeps.pipe(Layer.provide(killed)))
        const { moveBranch } = Context.get(context, GitRepositories.GitRepositories)
        yield* Effect.flip(moveBranch(name, "refs/heads/main", CommitSha.make(commit)))
        yield* newest(name).pipe(
          Effect.repeat({
            until: ({ digest }) => digest !== first.digest,
            schedule: Schedule.spaced("20 millis")
          }),
          Effect.timeout("10 seconds")
        )
      }).pipe(Effect.scoped)
  )
})
