/** Blobs in one process's memory: the same promises as a folder, nothing survives the process. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Digest } from "@starform/domain/ids/Digest"
import * as BlobStore from "./BlobStore.ts"
import { concatenated, digestOf, verified } from "./internal/verified.ts"

const make = Effect.sync((): BlobStore.BlobStore["Service"] => {
  const blobs = new Map<Digest, Uint8Array>()

  const putBytes = (bytes: Uint8Array) =>
    Effect.sync((): BlobStore.BlobEntry => {
      const digest = digestOf(bytes)
      blobs.set(digest, Uint8Array.from(bytes))
      return { digest, sizeBytes: bytes.length }
    })

  const getBytes = (digest: Digest) =>
    Effect.suspend(() => {
      const bytes = blobs.get(digest)
      return bytes === undefined
        ? Effect.fail(new BlobStore.BlobNotFound({ digest }))
        : Effect.succeed(Uint8Array.from(bytes))
    })

  return {
    put: (bytes) => Stream.runCollect(bytes).pipe(Effect.flatMap((chunks) => putBytes(concatenated(chunks)))),
    putBytes,
    get: (digest) => Stream.fromEffect(getBytes(digest)).pipe(verified(digest)),
    getBytes,
    stat: (digest) =>
      Effect.sync(() =>
        Option.map(Option.fromNullishOr(blobs.get(digest)), ({ length }) => ({ digest, sizeBytes: length }))
      ),
    list: Stream.suspend(() =>
      Stream.fromIterable([...blobs].map(([digest, { length }]) => ({ digest, sizeBytes: length })))
    ),
    delete: (digest) => Effect.sync(() => void blobs.delete(digest))
  }
})

export const layer: Layer.Layer<BlobStore.BlobStore> = Layer.effect(BlobStore.BlobStore, make)
