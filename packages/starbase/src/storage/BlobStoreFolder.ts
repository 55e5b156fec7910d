/** Blobs in one folder of this host, shared by all its processes. Invariants: README. */
import { createHash, randomUUID } from "node:crypto"
import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Digest } from "@starform/domain/ids/Digest"
import * as BlobStore from "./BlobStore.ts"
import { errnoOf, removeAbandoned, writeAll } from "./internal/partialFiles.ts"
import { concatenated, verified } from "./internal/verified.ts"

export interface FolderSettings {
  /** Made when missing, mode 0700. All of it belongs to the store. */
  readonly directory: string
  /** Bytes read at once by a get. */
  readonly readBytes?: number
}

const defaultReadBytes = 256 * 1024

const attempt = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      errnoOf(cause) === "ENOSPC" || errnoOf(cause) === "EDQUOT"
        ? new BlobStore.DiskFull({ operation })
        : new BlobStore.BlobStoreUnavailable({ operation, cause })
  })

/** For operations that write nothing, so that a full disk is not to be expected of them. */
const attemptRead = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new BlobStore.BlobStoreUnavailable({ operation, cause })
  })

const syncDirectory = async (path: string) => {
  const handle = await Fs.open(path, constants.O_RDONLY)
  await handle.sync().finally(() => handle.close())
}

const prepare = async (directory: string) => {
  await Fs.mkdir(join(directory, "partial"), { recursive: true, mode: 0o700 })
  const shards = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"))
  await Promise.all(
    shards.map((shard) => Fs.mkdir(join(directory, "sha256", shard), { recursive: true, mode: 0o700 }))
  )
  await syncDirectory(join(directory, "sha256"))
  await syncDirectory(directory)
  await removeAbandoned(join(directory, "partial"))
}

const make = Effect.fnUntraced(function* (settings: FolderSettings) {
  const { directory } = settings
  const readBytes = settings.readBytes ?? defaultReadBytes
  yield* attemptRead("open", () => prepare(directory))

  const shardOf = (digest: Digest) => join(directory, "sha256", digest.slice(7, 9))
  const pathOf = (digest: Digest) => join(shardOf(digest), digest.slice(7))

  /** A file that is gone when the scope closes, unless it was renamed before. */
  const partialFile = Effect.acquireRelease(
    attempt("put", async () => {
      const path = join(directory, "partial", `${process.pid}.${randomUUID()}`)
      return { path, handle: await Fs.open(path, "wx", 0o600) }
    }),
    ({ path, handle }) =>
      Effect.promise(async () => {
        await handle.close()
        await Fs.rm(path, { force: true })
      })
  )

  const put: BlobStore.BlobStore["Service"]["put"] = (bytes) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { path, handle } = yield* partialFile
        const hash = createHash("sha256")
        let sizeBytes = 0
        yield* Stream.runForEachArray(bytes, (chunks) => {
          for (const chunk of chunks) {
            hash.update(chunk)
            sizeBytes += chunk.length
          }
          return attempt("put", () => writeAll(handle, chunks))
        })
        const digest = Digest.make(`sha256:${hash.digest("hex")}`)
        yield* attempt("put", async () => {
          await handle.sync()
          await Fs.rename(path, pathOf(digest))
          await syncDirectory(shardOf(digest))
        })
        return { digest, sizeBytes }
      })
    )

  const opened = (digest: Digest) =>
    Effect.acquireRelease(
      Effect.tryPromise({
        try: () => Fs.open(pathOf(digest), "r"),
        catch: (cause) =>
          errnoOf(cause) === "ENOENT"
            ? new BlobStore.BlobNotFound({ digest })
            : new BlobStore.BlobStoreUnavailable({ operation: "get", cause })
      }),
      (handle) => Effect.promise(() => handle.close())
    )

  const get: BlobStore.BlobStore["Service"]["get"] = (digest) =>
    Stream.unwrap(
      Effect.map(opened(digest), (handle) =>
        Stream.paginate(0, (position: number) =>
          attemptRead("get", () => handle.read(Buffer.allocUnsafe(readBytes), 0, readBytes, position)).pipe(
            Effect.map(({ buffer, bytesRead }) => [
              bytesRead === 0 ? [] : [buffer.subarray(0, bytesRead)],
              bytesRead === 0 ? Option.none<number>() : Option.some(position + bytesRead)
            ])
          )
        )
      )
    ).pipe(verified(digest))

  const listShard = async (shard: string): Promise<ReadonlyArray<BlobStore.BlobEntry>> => {
    const folder = join(directory, "sha256", shard)
    const entries = await Promise.all(
      (await Fs.readdir(folder)).map(async (name) => {
        const info = await Fs.stat(join(folder, name)).catch((cause: unknown) => {
          if (errnoOf(cause) === "ENOENT") return undefined
          return Promise.reject(cause)
        })
        return info === undefined ? [] : [{ digest: Digest.make(`sha256:${name}`), sizeBytes: info.size }]
      })
    )
    return entries.flat()
  }

  return {
    put,
    putBytes: (bytes) => put(Stream.succeed(bytes)),
    get,
    getBytes: (digest) => Effect.map(Stream.runCollect(get(digest)), concatenated),
    stat: (digest) =>
      attemptRead("stat", () =>
        Fs.stat(pathOf(digest)).then(
          ({ size }) => Option.some({ digest, sizeBytes: size }),
          (cause: unknown) =>
            errnoOf(cause) === "ENOENT" ? Option.none<BlobStore.BlobEntry>() : Promise.reject(cause)
        )
      ),
    list: Stream.fromArrayEffect(attemptRead("list", () => Fs.readdir(join(directory, "sha256")))).pipe(
      Stream.flatMap((shard) => Stream.fromArrayEffect(attemptRead("list", () => listShard(shard))))
    ),
    delete: (digest) =>
      attemptRead("delete", async () => {
        await Fs.rm(pathOf(digest), { force: true })
        await syncDirectory(shardOf(digest))
      })
  } satisfies BlobStore.BlobStore["Service"]
})

/** Fails when the folder cannot be made or written. */
export const layer = (
  settings: FolderSettings
): Layer.Layer<BlobStore.BlobStore, BlobStore.BlobStoreUnavailable> =>
  Layer.effect(BlobStore.BlobStore, make(settings))
