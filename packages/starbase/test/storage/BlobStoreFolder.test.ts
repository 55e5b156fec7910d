import { spawnSync } from "node:child_process"
import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { BlobStore } from "@starform/starbase/storage/BlobStore"
import * as BlobStoreFolder from "@starform/starbase/storage/BlobStoreFolder"
import { blobStoreConformance } from "./BlobStore.conformance.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "starform-blobs-"))),
  (directory) => Effect.promise(() => Fs.rm(directory, { recursive: true, force: true }))
)

const inFolder = <A, E>(directory: string, effect: Effect.Effect<A, E, BlobStore>) =>
  Effect.provide(effect, BlobStoreFolder.layer({ directory, readBytes: 1024 }), { local: true })

const pathOf = (directory: string, digest: string) =>
  join(directory, "sha256", digest.slice(7, 9), digest.slice(7))

blobStoreConformance(
  "BlobStoreFolder",
  Layer.unwrap(Effect.map(temporaryFolder, (directory) => BlobStoreFolder.layer({ directory })))
)

describe("BlobStoreFolder", () => {
  it.live(
    "fails with BlobCorrupt at the end of a damaged blob, and a new put mends it (INV-BLB-2, INV-BLB-3)",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryFolder
        const bytes = Buffer.from("x".repeat(10_000))
        yield* inFolder(
          directory,
          Effect.gen(function* () {
            const store = yield* BlobStore
            const { digest } = yield* store.putBytes(bytes)
            const damaged = Buffer.from(bytes)
            damaged[9_999] = 0
            yield* Effect.promise(() => Fs.writeFile(pathOf(directory, digest), damaged))
            const error = yield* Effect.flip(Stream.runDrain(store.get(digest)))
            assert.strictEqual(error._tag, "BlobCorrupt")
            yield* store.putBytes(bytes)
            assert.isTrue(Buffer.from(yield* store.getBytes(digest)).equals(bytes))
          })
        )
      })
  )

  it.live("keeps what was acknowledged for the next process", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryFolder
      const put = Effect.flatMap(BlobStore, (store) => store.putBytes(Buffer.from("kept")))
      const { digest } = yield* inFolder(directory, put)
      const read = yield* inFolder(
        directory,
        Effect.flatMap(BlobStore, (store) => store.getBytes(digest))
      )
      assert.strictEqual(Buffer.from(read).toString(), "kept")
    })
  )

  it.live(
    "removes partial files of dead processes when it opens, and those of living ones never (INV-BLB-4)",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryFolder
        const partial = join(directory, "partial")
        const dead = spawnSync(process.execPath, ["-e", ""]).pid
        const names = [`${dead}.left-over`, `${process.ppid}.in-use`]
        yield* Effect.promise(() => Fs.mkdir(partial))
        yield* Effect.promise(() =>
          Promise.all(names.map((name) => Fs.writeFile(join(partial, name), "half")))
        )
        yield* inFolder(directory, BlobStore)
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(partial)), [`${process.ppid}.in-use`])
      })
  )

  it.live("has no partial file left after an interrupted put", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryFolder
      yield* inFolder(
        directory,
        Effect.gen(function* () {
          const store = yield* BlobStore
          const endless = Stream.concat(Stream.succeed(Buffer.from("half")), Stream.never)
          const fiber = yield* Effect.forkChild(store.put(endless))
          const partial = Effect.promise(() => Fs.readdir(join(directory, "partial")))
          while ((yield* partial).length === 0) yield* Effect.sleep("2 millis")
          yield* Fiber.interrupt(fiber)
          assert.deepStrictEqual(yield* partial, [])
        })
      )
    })
  )
})

const mountTmpfs = Effect.acquireRelease(
  Effect.gen(function* () {
    const directory = yield* temporaryFolder
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", directory])
    return { directory, mounted: mounted.status === 0, reason: mounted.stderr?.toString().trim() ?? "" }
  }),
  ({ directory, mounted }) =>
    Effect.sync(() => {
      if (mounted) spawnSync("umount", [directory])
    })
)

describe("BlobStoreFolder on a full disk", () => {
  it.live("fails with DiskFull and keeps nothing (INV-BLB-4)", (context) =>
    Effect.gen(function* () {
      const { directory, mounted, reason } = yield* mountTmpfs
      if (!mounted) return context.skip(`cannot mount a small file system here: ${reason}`)
      yield* inFolder(
        directory,
        Effect.gen(function* () {
          const store = yield* BlobStore
          const error = yield* Effect.flip(store.putBytes(new Uint8Array(4_000_000)))
          assert.strictEqual(error._tag, "DiskFull")
          assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(directory, "partial"))), [])
          yield* store.putBytes(Buffer.from("small"))
        })
      )
    })
  )
})
