/** The port to the index of build logs: which blob is which chunk. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Digest } from "@starform/domain/ids/Digest"
import { BuildId } from "@starform/domain/ids/Ids"

export interface BuildLogChunk {
  /** 1, 2, 3, … within the build (INV-BLD-4). */
  readonly number: number
  /** Blob that holds the chunk's lines. */
  readonly digest: Digest
  readonly sizeBytes: number
  readonly atMs: number
  /** Nothing follows. */
  readonly isLast: boolean
}

/** Another writer indexed a different chunk under this number; nothing was written. */
export class ChunkTaken extends Schema.TaggedError<ChunkTaken>()("ChunkTaken", {
  buildId: BuildId,
  number: Schema.Int
}) {
  override get message() {
    return `build ${this.buildId}: chunk ${this.number} was written by someone else`
  }
}

/** The log cannot be written or read now; a repeat may succeed. */
export class BuildLogUnavailable extends Schema.TaggedError<BuildLogUnavailable>()("BuildLogUnavailable", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `build log: ${this.operation} failed`
  }
}

export class BuildLogIndex extends Context.Service<
  BuildLogIndex,
  {
    /** Idempotent: the same chunk under the same number again succeeds. */
    readonly append: (
      buildId: BuildId,
      chunk: BuildLogChunk
    ) => Effect.Effect<void, ChunkTaken | BuildLogUnavailable>
    /** Chunks with `number >= from`, in order. */
    readonly list: (
      buildId: BuildId,
      from: number
    ) => Effect.Effect<ReadonlyArray<BuildLogChunk>, BuildLogUnavailable>
    /** The newest chunk's number; 0 when there is none. */
    readonly newest: (buildId: BuildId) => Effect.Effect<number, BuildLogUnavailable>
    /**
     * Watches a build until the scope closes. The inner effect completes when chunks may have been added since the
     * watch began or it last completed; it also completes without any, so that a lost wake-up costs a second at most.
     */
    readonly watch: (buildId: BuildId) => Effect.Effect<Effect.Effect<void>, never, Scope.Scope>
  }
>()("@starform/starbase/builds/BuildLogIndex") {}
