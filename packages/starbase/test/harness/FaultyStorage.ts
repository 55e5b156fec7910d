/** The folder's blob store behind a fault of the test's choice: a put can be refused, or wait. */
import { Effect, Layer, Stream } from "effect"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import { BlobStore, type DiskFull } from "@starform/starbase/storage/BlobStore"
import * as BlobStoreFolder from "@starform/starbase/storage/BlobStoreFolder"

export class Fault {
  /** Runs when all bytes of a put have come, before it is done. A bundle, which comes at its own time, is not held. */
  beforePut: Effect.Effect<void, DiskFull> = Effect.void
}

const isBundle = (start: Uint8Array) =>
  /^# v\d git bundle/.test(new TextDecoder().decode(start.subarray(0, 32)))

export const layer = (fault: Fault) =>
  Layer.effect(
    BlobStore,
    Effect.map(BlobStore, (folder) =>
      BlobStore.of({
        ...folder,
        put: (bytes) =>
          Effect.suspend(() => {
            let start: Uint8Array | undefined
            const seen = Stream.tap(bytes, (chunk) => Effect.sync(() => (start ??= chunk)))
            const held = Effect.suspend(() =>
              start !== undefined && isBundle(start) ? Effect.void : fault.beforePut
            )
            return folder.put(Stream.concat(seen, Stream.drain(Stream.fromEffect(held))))
          })
      })
    )
  ).pipe(
    Layer.provide(
      Layer.unwrap(
        Effect.map(StarbaseConfig, ({ dataDirectory }) =>
          BlobStoreFolder.layer({ directory: `${dataDirectory}/blobs` })
        )
      )
    )
  )
