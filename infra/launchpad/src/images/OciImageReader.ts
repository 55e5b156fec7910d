/** From a digest to a checked manifest and config. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Digest } from "@starform/domain/ids/Digest"
import {
  type BlobCorrupt,
  type BlobNotFound,
  BlobStore,
  type BlobStoreUnavailable
} from "@starform/starbase/storage/BlobStore"
import { configJson, manifestJson, mediaTypes, type OciConfig, type OciManifest } from "./OciImage.ts"

/** The blob is there, but it is not an image that we can run. */
export class ImageMalformed extends Schema.TaggedError<ImageMalformed>()("ImageMalformed", {
  digest: Digest,
  problem: Schema.String
}) {
  override get message() {
    return `image ${this.digest}: ${this.problem}`
  }
}

export interface OciImageContent {
  readonly manifest: OciManifest
  readonly config: OciConfig
}

export type ImageReadError = ImageMalformed | BlobNotFound | BlobCorrupt | BlobStoreUnavailable

const decodeManifest = Schema.decodeUnknownEffect(manifestJson)
const decodeConfig = Schema.decodeUnknownEffect(configJson)

/** Verified by digest; layers are uncompressed tars and match the config's diff ids. */
export const readImage: (digest: Digest) => Effect.Effect<OciImageContent, ImageReadError, BlobStore> =
  Effect.fn("readImage")(function* (digest) {
    const blobs = yield* BlobStore
    const malformed = (problem: string) => new ImageMalformed({ digest, problem })
    const text = (blob: Digest) => Effect.map(blobs.getBytes(blob), (bytes) => Buffer.from(bytes).toString())
    const manifest = yield* text(digest).pipe(
      Effect.flatMap(decodeManifest),
      Effect.catchTag("SchemaError", () => malformed("the manifest cannot be read"))
    )
    const config = yield* text(manifest.config.digest).pipe(
      Effect.flatMap(decodeConfig),
      Effect.catchTag("SchemaError", () => malformed("the config cannot be read"))
    )
    if (manifest.layers.length === 0) return yield* malformed("it has no layer")
    const foreign = manifest.layers.find(({ mediaType }) => mediaType !== mediaTypes.layer)
    if (foreign !== undefined) return yield* malformed(`a layer has media type ${foreign.mediaType}`)
    const isConsistent =
      config.rootfs.diff_ids.length === manifest.layers.length &&
      manifest.layers.every((layer, place) => layer.digest === config.rootfs.diff_ids[place])
    if (!isConsistent) return yield* malformed("its layers are not those of its config")
    return { manifest, config }
  })
