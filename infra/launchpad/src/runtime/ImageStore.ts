/** The port through which the runtime gets an image's unpacked tree and its start configuration. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ProcessUser } from "./UserIds.ts"

/** What an image says about how it is started. */
export interface ImageConfig {
  readonly entrypoint: ReadonlyArray<string>
  readonly command: ReadonlyArray<string>
  readonly environment: Readonly<Record<string, string>>
  /** Relative to `rootDirectory`, e.g. `/app`; empty means the root itself. */
  readonly workingDirectory: string
}

export interface PreparedImage {
  /** Absolute path of the unpacked root. Read by the user that it was prepared for, written by nobody. */
  readonly rootDirectory: string
  readonly config: ImageConfig
}

/** The image is not there or cannot be unpacked. The runtime repeats with back-off (`ImagePullBackOff`). */
export class ImagePullFailed extends Schema.TaggedError<ImagePullFailed>()("ImagePullFailed", {
  image: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `Failed to pull image "${this.image}": ${this.reason}`
  }
}

export class ImageStore extends Context.Service<
  ImageStore,
  {
    /**
     * Idempotent by image reference and user; concurrent calls for one image unpack it once.
     *
     * @param user whose processes may enter the tree, and nobody else; absent: those of this process's own user
     */
    readonly prepare: (image: string, user?: ProcessUser) => Effect.Effect<PreparedImage, ImagePullFailed>
  }
>()("@starform/launchpad/runtime/ImageStore") {}
