/** From layers to an image: config and manifest as canonical JSON, so that equal images have equal digests (INV-IMG-1). */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import { canonicalJson } from "@starform/domain/desired/DocumentHash"
import { Digest } from "@starform/domain/ids/Digest"
import {
  type BlobEntry,
  BlobStore,
  type BlobStoreUnavailable,
  type DiskFull
} from "@starform/starbase/storage/BlobStore"
import { baseLabel, mediaTypes, type OciConfig, type OciManifest } from "./OciImage.ts"

export interface ImageContent {
  /** Lowest first; each an uncompressed tar in the blob store. */
  readonly layers: ReadonlyArray<BlobEntry>
  readonly command: ReadonlyArray<string>
  readonly environment: Readonly<Record<string, string>>
  readonly workingDirectory: string
  /** What the host supplies, e.g. `node v24.1.0`. */
  readonly base: string
  readonly platform: { readonly architecture: string; readonly os: string }
}

/** Node.js' names of processors as Go and OCI say them; others are the same in both. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" }

/** The platform of this process in OCI's words. */
export const hostPlatform = (): ImageContent["platform"] => ({
  architecture: architectures[process.arch] ?? process.arch,
  os: process.platform
})

const digestOf = (bytes: Uint8Array): Digest =>
  Digest.make(`sha256:${createHash("sha256").update(bytes).digest("hex")}`)

/** Digest of the manifest. The blobs of the layers must exist. Idempotent. */
export const writeImage: (
  content: ImageContent
) => Effect.Effect<Digest, BlobStoreUnavailable | DiskFull, BlobStore> = Effect.fn("writeImage")(
  function* (content) {
    const blobs = yield* BlobStore
    const config: OciConfig = {
      ...content.platform,
      config: {
        Env: Object.entries(content.environment)
          .map(([key, value]) => `${key}=${value}`)
          .sort(),
        Cmd: content.command,
        WorkingDir: content.workingDirectory,
        Labels: { [baseLabel]: `supplied by the host: ${content.base}` }
      },
      rootfs: { type: "layers", diff_ids: content.layers.map(({ digest }) => digest) }
    }
    const configBytes = Buffer.from(canonicalJson(config))
    const manifest: OciManifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, digest: digestOf(configBytes), size: configBytes.length },
      layers: content.layers.map(({ digest, sizeBytes }) => ({
        mediaType: mediaTypes.layer,
        digest,
        size: sizeBytes
      }))
    }
    const [{ digest }] = yield* Effect.all(
      [blobs.putBytes(Buffer.from(canonicalJson(manifest))), blobs.putBytes(configBytes)],
      { concurrency: 2 }
    )
    return digest
  }
)
