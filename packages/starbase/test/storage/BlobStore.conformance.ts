/** The promises of the blob store; every implementation runs this suite. */
import { createHash } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Layer, Option, Schema, Stream } from "effect"
import { Digest } from "@starform/domain/ids/Digest"
import { BlobStore } from "@starform/starbase/storage/BlobStore"

let next = 0

const unique = (sizeBytes = 0): Uint8Array => {
  const start = Buffer.from(`blob ${process.pid} ${performance.timeOrigin} ${next++}`)
  return sizeBytes <= start.length ? start : Buffer.concat([start, Buffer.alloc(sizeBytes - start.length, 7)])
}

const sha256 = (bytes: Uint8Array) =>
  Digest.make(`sha256:${createHash("sha256").update(bytes).digest("hex")}`)

const chunked = (bytes: Uint8Array, size: number) =>
  Stream.fromIterable(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size))
  )

class SourceBroke extends Schema.TaggedError<SourceBroke>()("SourceBroke", {}) {}

export const blobStoreConformance = <E>(name: string, layer: Layer.Layer<BlobStore, E>): void => {
  it.layer(layer, { timeout: 30_000, excludeTestServices: true })(name, (it) => {
    it.effect("names a blob by the SHA-256 of its bytes and gives the same bytes back", () =>
      Effect.gen(function* () {
        const store = yield* BlobStore
        const bytes = unique()
        const stored = yield* store.putBytes(bytes)
        assert.deepStrictEqual(stored, { digest: sha256(bytes), sizeBytes: bytes.length })
        assert.deepStrictEqual(Buffer.from(yield* store.getBytes(stored.digest)), Buffer.from(bytes))
      })
    )

    it.effect("streams a blob of many chunks in and out", () =>
      Effect.gen(function* () {
        const store = yield* BlobStore
        const bytes = unique(3_000_000)
        const stored = yield* store.put(chunked(bytes, 77_777))
        assert.strictEqual(stored.digest, sha256(bytes))
        const read = Buffer.concat(yield* Stream.runCollect(store.get(stored.digest)))
        assert.isTrue(read.equals(Buffer.from(bytes)))
      })
    )

    it.effect("keeps the empty blob", () =>
      Effect.gen(function* () {
        const store = yield* BlobStore
        const stored = yield* store.put(Stream.empty)
        assert.strictEqual(stored.sizeBytes, 0)
        assert.strictEqual((yield* store.getBytes(stored.digest)).length, 0)
      })
    )

    it.effect("is the same blob when the same bytes are put again, also at once (INV-BLB-2)", () =>
      Effect.gen(function* () {
        const store = yield* BlobStore
        const bytes = unique(100_000)
        const stored = yield* Effect.all(
          Array.from({ length: 8 }, () => store.put(chunked(bytes, 1000))),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(stored.map(({ digest }) => digest)).size, 1)
        const listed = yield* Stream.runCollect(store.list)
        assert.strictEqual(listed.filter(({ digest }) => digest === sha256(bytes)).length, 1)
      })
    )

    it.effect("says what it knows of a blob, and nothing of one that is not there", () =>
      Effect.gen(function* () {
        const store = yield* BlobStore
        const bytes = unique()
        assert.isTrue(Option.isNone(yield* store.stat(sha256(bytes))))
        const stored = yield* store.putBytes(bytes)
        assert.deepStrictEqual(yield* store.stat(stored.digest), Option.some(stored))
        assert.isTrue((yield* Stream.runCollect(store.list)).some(({ digest }) => digest === stored.digest))
      })
    )

    it.effect("fails with BlobNotFound for bytes that nobody put", () =>
      Effect.gen(function* () {
        const store = yield* BlobStore
        const error = yield* Effect.flip(store.getBytes(sha256(unique())))
        assert.strictEqual(error._tag, "BlobNotFound")
      })
    )

    it.effect("deletes, also what is not there", () =>
      Effect.gen(function* () {
        const store = yield* BlobStore
        const { digest } = yield* store.putBytes(unique())
        yield* store.delete(digest)
        yield* store.delete(digest)
        assert.isTrue(Option.isNone(yield* store.stat(digest)))
        assert.strictEqual((yield* Effect.flip(store.getBytes(digest)))._tag, "BlobNotFound")
      })
    )

    it.effect("keeps nothing of a stream that fails, and fails with its error (INV-BLB-4)", () =>
      Effect.gen(function* () {
        const store = yield* BlobStore
        const bytes = unique(50_000)
        const broken = Stream.concat(Stream.succeed(bytes), Stream.fail(new SourceBroke()))
        assert.strictEqual((yield* Effect.flip(store.put(broken)))._tag, "SourceBroke")
        assert.isTrue(Option.isNone(yield* store.stat(sha256(bytes))))
      })
    )

    it.effect("keeps nothing of a put that is interrupted (INV-BLB-4)", () =>
      Effect.gen(function* () {
        const store = yield* BlobStore
        const bytes = unique(50_000)
        const endless = Stream.concat(Stream.succeed(bytes), Stream.never)
        const fiber = yield* Effect.forkChild(store.put(endless), { startImmediately: true })
        yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
        assert.isTrue(Option.isNone(yield* store.stat(sha256(bytes))))
      })
    )

    it.effect("gives whoever asks a copy of its own", () =>
      Effect.gen(function* () {
        const store = yield* BlobStore
        const { digest } = yield* store.putBytes(unique())
        ;(yield* store.getBytes(digest)).fill(0)
        assert.strictEqual(sha256(yield* store.getBytes(digest)), digest)
      })
    )
  })
}
