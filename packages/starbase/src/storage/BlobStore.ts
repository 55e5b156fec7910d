/** The port to content-addressed bytes: sources, bundles of repositories, image blobs, chunks of build logs. Invariants: README. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { Digest } from "@starform/domain/ids/Digest"

/** What is known of a blob without reading it. */
export interface BlobEntry {
  readonly digest: Digest
  readonly sizeBytes: number
}

/** No blob has this digest. */
export class BlobNotFound extends Schema.TaggedError<BlobNotFound>()("BlobNotFound", { digest: Digest }) {
  override get message() {
    return `blob ${this.digest} does not exist`
  }
}

/** The stored bytes have another digest than their name; whatever was streamed must be thrown away. */
export class BlobCorrupt extends Schema.TaggedError<BlobCorrupt>()("BlobCorrupt", {
  digest: Digest,
  actual: Digest
}) {
  override get message() {
    return `blob ${this.digest} is damaged: its bytes have digest ${this.actual}`
  }
}

/** The store did not do it; a repeat may succeed. */
export class BlobStoreUnavailable extends Schema.TaggedError<BlobStoreUnavailable>()("BlobStoreUnavailable", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `blob store: ${this.operation} failed`
  }
}

/** There is no room for more bytes; nothing was kept. */
export class DiskFull extends Schema.TaggedError<DiskFull>()("DiskFull", { operation: Schema.String }) {
  override get message() {
    return `disk full: ${this.operation}`
  }
}

export class BlobStore extends Context.Service<
  BlobStore,
  {
    /** Keeps the bytes, however long; durable when it succeeds (INV-BLB-1). Fails with the stream's own error too. */
    readonly put: <E, R>(
      bytes: Stream.Stream<Uint8Array, E, R>
    ) => Effect.Effect<BlobEntry, E | BlobStoreUnavailable | DiskFull, R>
    /** `put` for bytes that are in memory already. */
    readonly putBytes: (bytes: Uint8Array) => Effect.Effect<BlobEntry, BlobStoreUnavailable | DiskFull>
    /** Each run reads from the start. Trust the bytes when it has ended (INV-BLB-3). */
    readonly get: (
      digest: Digest
    ) => Stream.Stream<Uint8Array, BlobNotFound | BlobCorrupt | BlobStoreUnavailable>
    /** The whole blob in memory, verified; for small ones. */
    readonly getBytes: (
      digest: Digest
    ) => Effect.Effect<Uint8Array, BlobNotFound | BlobCorrupt | BlobStoreUnavailable>
    readonly stat: (digest: Digest) => Effect.Effect<Option.Option<BlobEntry>, BlobStoreUnavailable>
    /** Every blob, in no order; what is put or deleted meanwhile may or may not be among them. */
    readonly list: Stream.Stream<BlobEntry, BlobStoreUnavailable>
    /** Succeeds when there is no such blob. Running reads of it may end well or fail. */
    readonly delete: (digest: Digest) => Effect.Effect<void, BlobStoreUnavailable>
  }
>()("@starform/starbase/storage/BlobStore") {}
