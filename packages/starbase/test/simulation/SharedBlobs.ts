/** The blob store that all processes share: the one in memory, behind the road of each. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { Digest } from "@starform/domain/ids/Digest"
import { BlobStore, BlobStoreUnavailable, DiskFull } from "@starform/starbase/storage/BlobStore"
import { ask, type Store } from "./Store.ts"
import type { Process } from "./World.ts"

export type Blobs = BlobStore["Service"]

const broken = (operation: string) => new BlobStoreUnavailable({ operation, cause: "the connection is gone" })

const concatenated = (chunks: ReadonlyArray<Uint8Array>) => Buffer.concat(chunks)

/** @param isFull whether there is no room for what is put now */
export const layer = (
  blobs: Blobs,
  store: Store,
  from: Process,
  isFull: () => boolean
): Layer.Layer<BlobStore> => {
  const run = <A, E>(operation: string, perform: Effect.Effect<A, E>) =>
    ask<A, E | BlobStoreUnavailable>(store, from, `blobs.${operation}`, perform, broken)
  const putBytes = (bytes: Uint8Array) =>
    run(
      "put",
      Effect.suspend(() =>
        isFull() ? Effect.fail(new DiskFull({ operation: "put" })) : blobs.putBytes(bytes)
      )
    )
  const getBytes = (digest: Digest) => run("get", blobs.getBytes(digest))
  return Layer.succeed(
    BlobStore,
    BlobStore.of({
      put: (bytes) => Effect.flatMap(Stream.runCollect(bytes), (chunks) => putBytes(concatenated(chunks))),
      putBytes,
      get: (digest) => Stream.fromEffect(getBytes(digest)),
      getBytes,
      stat: (digest) => run("stat", blobs.stat(digest)),
      list: Stream.unwrap(run("list", Effect.succeed(blobs.list))),
      delete: (digest) => run("delete", blobs.delete(digest))
    })
  )
}
