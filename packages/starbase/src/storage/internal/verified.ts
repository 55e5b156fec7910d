/** Hashing beside a stream of bytes. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Digest } from "@starform/domain/ids/Digest"
import { BlobCorrupt } from "../BlobStore.ts"

/** The digest of bytes in memory. */
export const digestOf = (bytes: Uint8Array): Digest =>
  Digest.make(`sha256:${createHash("sha256").update(bytes).digest("hex")}`)

/** Passes the bytes on and fails at the end when they have another digest. */
export const verified =
  (digest: Digest) =>
  <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E | BlobCorrupt, R> =>
    Stream.suspend(() => {
      const hash = createHash("sha256")
      return bytes.pipe(
        Stream.map((chunk) => {
          hash.update(chunk)
          return chunk
        }),
        Stream.onEnd(
          Effect.suspend(() => {
            const actual = Digest.make(`sha256:${hash.digest("hex")}`)
            return actual === digest ? Effect.void : Effect.fail(new BlobCorrupt({ digest, actual }))
          })
        )
      )
    })

/** All bytes in one array; a single chunk is handed out as it is. */
export const concatenated = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const [only] = chunks
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)
}
