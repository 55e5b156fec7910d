/**
 * Keeps the newest state of every repository as a bundle in the blob store, and makes repositories from it again
 * (INV-GIT-7). Nobody waits for a bundle to be written; a restore is waited for.
 */
import { createHash } from "node:crypto"
import { dirname, join } from "node:path"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import { BlobStore, type BlobStoreUnavailable, type DiskFull } from "../storage/BlobStore.ts"
import { BundleIndex } from "./BundleIndex.ts"
import { GitConfig } from "./GitConfig.ts"
import * as GitProcess from "./GitProcess.ts"
import { pathIn, RepositoryName } from "./RepositoryName.ts"

export interface BundleSettings {
  /** From a change until its bundle is written; what changes meanwhile is in the same one. */
  readonly pause: Duration.Input
  /** After a bundle that could not be written. */
  readonly retryInterval: Duration.Input
}

export const defaults: BundleSettings = { pause: "1 second", retryInterval: "30 seconds" }

type RestoreError = GitProcess.GitFailed | BlobStoreUnavailable | SqlError | PlatformError

export class RepositoryBundles extends Context.Service<
  RepositoryBundles,
  {
    /** The repository has changed: its bundle is due. Returns at once. */
    readonly changed: (name: RepositoryName) => Effect.Effect<void>
    /** Writes the bundle now, unless the newest one holds the same refs. */
    readonly write: (name: RepositoryName) => Effect.Effect<void, RestoreError | DiskFull>
    /** Makes the repository, which is not there, from its newest bundle; `false` when there is none to make it from. */
    readonly restore: (name: RepositoryName) => Effect.Effect<boolean, RestoreError>
  }
>()("@starform/starbase/git/RepositoryBundles") {}

const decodeName = Schema.decodeUnknownOption(RepositoryName)
const isProjectId = Schema.is(RepositoryName.fields.projectId)

const make = Effect.fnUntraced(function* (settings: BundleSettings) {
  const { directory: root, searchPath } = yield* GitConfig
  const blobs = yield* BlobStore
  const index = yield* BundleIndex
  const fs = yield* FileSystem.FileSystem
  const spawner = yield* ChildProcessSpawner
  const env = GitProcess.environment(searchPath, root)
  const due = yield* Queue.unbounded<RepositoryName>()
  const waiting = new Set<string>()
  const scope = yield* Effect.scope

  const git = (path: string, ...args: ReadonlyArray<string>) =>
    GitProcess.run(path, env, args).pipe(Effect.provideService(ChildProcessSpawner, spawner))

  /** Every ref: a deploy that is not live yet has its commit in no branch. */
  const bundle = (path: string) =>
    GitProcess.stream(path, env, ["-c", "pack.threads=1", "bundle", "create", "--quiet", "-", "--all"]).pipe(
      Stream.provideService(ChildProcessSpawner, spawner)
    )

  const dismiss = Effect.fnUntraced(function* (name: RepositoryName) {
    const known = yield* index.newest(name)
    const superseded = Option.isSome(known) ? known.value.superseded : null
    if (superseded === null) return
    if (!(yield* index.isNewest(superseded))) yield* blobs.delete(superseded)
    yield* index.forget(name, superseded)
  })

  /** Answers `false` when another process wrote one meanwhile, of refs that may be older or newer. */
  const writeOnce = Effect.fnUntraced(function* (name: RepositoryName) {
    const path = pathIn(root, name)
    if (!(yield* fs.exists(join(path, "HEAD")))) return true
    // What an interrupted write left behind.
    yield* dismiss(name)
    // Before the refs: whoever records a bundle after this may have seen newer ones.
    const known = Option.getOrNull(yield* index.newest(name))
    const refs = yield* git(path, "for-each-ref", "--format=%(objectname) %(refname)")
    if (refs === "") return true
    const refsHash = createHash("sha256").update(refs).digest("hex")
    const isKept = known?.refsHash === refsHash && Option.isSome(yield* blobs.stat(known.digest))
    if (isKept) return true
    const { digest } = yield* blobs.put(bundle(path))
    if (!(yield* index.record(name, digest, refsHash, known?.digest ?? null))) return false
    yield* dismiss(name)
    return true
  })

  const write = (name: RepositoryName) =>
    Effect.asVoid(Effect.repeat(writeOnce(name), { until: (isWritten) => isWritten }))

  const offerAfter = (delay: Duration.Input, name: RepositoryName) =>
    Effect.suspend(() => {
      const path = pathIn(root, name)
      if (waiting.has(path)) return Effect.void
      waiting.add(path)
      return Queue.offer(due, name).pipe(Effect.delay(delay), Effect.forkIn(scope), Effect.asVoid)
    })

  const work = Effect.gen(function* () {
    const name = yield* Queue.take(due)
    waiting.delete(pathIn(root, name))
    yield* write(name).pipe(
      Effect.catchCause((cause) =>
        Effect.andThen(
          Effect.logWarning(`bundle of repository ${name.projectId}/${name.service} not written`, cause),
          offerAfter(settings.retryInterval, name)
        )
      )
    )
  })

  const listed = (path: string) =>
    Effect.catchTag(fs.readDirectory(path), "PlatformError", (error) =>
      error.reason._tag === "NotFound" ? Effect.succeed([]) : Effect.fail(error)
    )

  /** Bundles that a process which ended did not write any more. Nobody else looks: a disk that does not answer is asked again. */
  const lookAtAll: Effect.Effect<void> = Effect.gen(function* () {
    for (const project of yield* listed(root)) {
      if (!isProjectId(project)) continue
      for (const entry of yield* listed(join(root, project))) {
        const name = decodeName({ projectId: project, service: entry.replace(/\.git$/, "") })
        if (entry.endsWith(".git") && Option.isSome(name)) yield* offerAfter(0, name.value)
      }
    }
  }).pipe(
    Effect.catch((error) =>
      Effect.logWarning("bundles of repositories", error).pipe(
        Effect.andThen(Effect.sleep(settings.retryInterval)),
        Effect.andThen(Effect.suspend(() => lookAtAll))
      )
    )
  )

  /** What a rename finds in its place: a repository that another process restored meanwhile, or a folder without one. */
  const moveTo = Effect.fnUntraced(function* (path: string, whole: string) {
    const isMoved = yield* Effect.isSuccess(fs.rename(whole, path))
    if (isMoved || (yield* fs.exists(join(path, "HEAD")))) return
    yield* fs.remove(path, { recursive: true, force: true })
    yield* fs.rename(whole, path)
  })

  /** Aside first, and each process for itself: a repository that is there is whole, and stays. */
  const restore = Effect.fnUntraced(function* (name: RepositoryName) {
    const known = yield* index.newest(name)
    if (Option.isNone(known)) return false
    const path = pathIn(root, name)
    yield* fs.makeDirectory(dirname(path), { recursive: true, mode: 0o700 })
    const aside = yield* fs.makeTempDirectoryScoped({
      directory: dirname(path),
      prefix: `${name.service}.partial-`
    })
    const [whole, file] = [join(aside, "whole"), join(aside, "bundle")]
    const lost = yield* Stream.run(blobs.get(known.value.digest), fs.sink(file)).pipe(
      Effect.as(null),
      Effect.catchTags({
        BlobNotFound: (error) => Effect.succeed(error),
        BlobCorrupt: (error) => Effect.succeed(error)
      })
    )
    if (lost !== null) {
      yield* Effect.logError(
        `repository ${name.projectId}/${name.service} begins anew, without its history`,
        lost
      )
      return false
    }
    yield* fs.makeDirectory(whole, { mode: 0o700 })
    yield* git(whole, "init", "--quiet", "--bare", "--initial-branch=main")
    yield* git(whole, "-c", "gc.auto=0", "fetch", "--quiet", "--no-write-fetch-head", file, "+refs/*:refs/*")
    yield* moveTo(path, whole)
    yield* Effect.logInfo(`repository ${name.projectId}/${name.service} is restored from its bundle`)
    return true
  }, Effect.scoped)

  yield* Effect.forkScoped(Effect.forever(work))
  yield* Effect.forkScoped(lookAtAll)
  return RepositoryBundles.of({ changed: (name) => offerAfter(settings.pause, name), write, restore })
})

export const layerWith = (settings: Partial<BundleSettings>) =>
  Layer.effect(RepositoryBundles, make({ ...defaults, ...settings }))

export const layerNoDeps = layerWith({})
