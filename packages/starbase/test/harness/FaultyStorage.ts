/** The folder's blob store behind a fault of the test's choice: a put can be refused, or wait. */
import { Effect, Layer, Stream } from "effect"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import { BlobStore, type DiskFull } from "@starform/starbase/storage/BlobStore"
import * as BlobStoreFolder from "@starform/starbase/storage/BlobStoreFolder"

export class Fault {
  /** Runs when all bytes of a put have come, before it is done. */
  beforePut: Effect.Effect<void, DiskFull> = Effect.void
}

export const layer = (fault: Fault) =>
  Layer.effect(
    BlobStore,
    Effect.map(BlobStore, (folder) =>
      BlobStore.of({
        ...folder,
        put: (bytes) =>
          folder.put(
            Stream.concat(bytes, Stream.drain(Stream.fromEffect(Effect.suspend(() => fault.beforePut))))
          )
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
