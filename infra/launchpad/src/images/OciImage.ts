/**
 * Manifest and config of our images as stored, and their names.
 *
 * @source OCI image specification 1.1: manifest.md, config.md, descriptor.md
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Digest, ImageReference } from "@starform/domain/ids/Digest"
import type { ServiceId, WorkspaceId } from "@starform/domain/ids/Ids"

export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar"
} as const

/** Label of the config that names what the image needs and does not hold. */
export const baseLabel = "app.starform.base"

export const Descriptor = Schema.Struct({
  mediaType: Schema.String,
  digest: Digest,
  size: Schema.Int
})
export type Descriptor = typeof Descriptor.Type

export const OciManifest = Schema.Struct({
  schemaVersion: Schema.Literal(2),
  mediaType: Schema.Literal(mediaTypes.manifest),
  config: Descriptor,
  /** Lowest first. */
  layers: Schema.Array(Descriptor)
})
export type OciManifest = typeof OciManifest.Type

export const OciConfig = Schema.Struct({
  /** In Go's words: `amd64`, `arm64`; `linux`, `darwin`. */
  architecture: Schema.String,
  os: Schema.String,
  config: Schema.Struct({
    Env: Schema.Array(Schema.String),
    Entrypoint: Schema.optionalKey(Schema.Array(Schema.String)),
    Cmd: Schema.optionalKey(Schema.Array(Schema.String)),
    WorkingDir: Schema.String,
    Labels: Schema.Record(Schema.String, Schema.String)
  }),
  rootfs: Schema.Struct({ type: Schema.Literal("layers"), diff_ids: Schema.Array(Digest) })
})
export type OciConfig = typeof OciConfig.Type

export const manifestJson = Schema.fromJsonString(OciManifest)
export const configJson = Schema.fromJsonString(OciConfig)

/** Name of an image; tells people whose it is. What is run is named by the digest alone. */
export const imageReference = (
  workspaceId: WorkspaceId,
  serviceId: ServiceId,
  digest: Digest
): ImageReference => ImageReference.make(`launchpad.local/${workspaceId}/${serviceId}@${digest}`)

const decodeDigest = Schema.decodeUnknownOption(Digest)

/** The digest that a reference carries; none when it has only a tag. */
export const digestOfReference = (image: string): Option.Option<Digest> => {
  const at = image.lastIndexOf("@")
  return at === -1 ? Option.none() : decodeDigest(image.slice(at + 1))
}
