/**
 * An image as a folder that other tools read (`skopeo inspect oci:<folder>`).
 *
 * @source OCI image specification 1.1, image-layout.md
 */
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { canonicalJson } from "@starform/domain/desired/DocumentHash"
import type { Digest } from "@starform/domain/ids/Digest"
import { BlobStore, type DiskFull } from "@starform/starbase/storage/BlobStore"
import { mediaTypes } from "./OciImage.ts"
import { type ImageReadError, readImage } from "./OciImageReader.ts"
import { attempt, type TreeUnavailable } from "./TreeErrors.ts"

/** Writes into a folder that is made when missing. On failure what was written so far stays. */
export const exportOciLayout: (
  digest: Digest,
  folder: string
) => Effect.Effect<void, ImageReadError | DiskFull | TreeUnavailable, BlobStore> = Effect.fn(
  "exportOciLayout"
)(function* (digest, folder) {
  const blobs = yield* BlobStore
  const { manifest } = yield* readImage(digest)
  const blobFolder = join(folder, "blobs", "sha256")
  yield* attempt("export", () => Fs.mkdir(blobFolder, { recursive: true }))

  const copy = (blob: Digest) =>
    Effect.acquireUseRelease(
      attempt("export", () => Fs.open(join(blobFolder, blob.slice(7)), "w")),
      (handle) =>
        Stream.runForEach(blobs.get(blob), (chunk) => attempt("export", () => handle.writeFile(chunk))),
      (handle) => Effect.promise(() => handle.close())
    )
  const parts = [digest, manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)]
  yield* Effect.forEach(new Set(parts), copy, { discard: true })

  const size = Buffer.byteLength(canonicalJson(manifest))
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [{ mediaType: mediaTypes.manifest, digest, size }]
  }
  const texts = { "oci-layout": { imageLayoutVersion: "1.0.0" }, "index.json": index }
  yield* Effect.forEach(
    Object.entries(texts),
    ([name, value]) => attempt("export", () => Fs.writeFile(join(folder, name), JSON.stringify(value))),
    { discard: true }
  )
})
