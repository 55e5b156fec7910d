/** What a build leaves behind: an image by digest and what is needed to run it. Immutable. */
import * as Schema from "effect/Schema"
import { CommitSha, Digest, ImageReference } from "../ids/Digest.ts"
import { BuildId, ReleaseId } from "../ids/Ids.ts"
import { ProcessName } from "../ids/Slug.ts"

/** Where a release comes from; becomes the provenance annotations of every object that runs it. */
export const Provenance = Schema.Struct({
  buildId: BuildId,
  gitSha: CommitSha,
  /** Full ref, e.g. `refs/heads/main`. */
  gitRef: Schema.String,
  /** Repository as a person would name it, e.g. `git.starform.app/acme/shop/api`. */
  gitRepo: Schema.String
})
export type Provenance = typeof Provenance.Type

/** One process type of a release and the command that starts it (argv; never a shell line). */
export const ReleaseProcess = Schema.Struct({
  name: ProcessName,
  command: Schema.Array(Schema.String)
})
export type ReleaseProcess = typeof ReleaseProcess.Type

export const Release = Schema.Struct({
  id: ReleaseId,
  /** 1, 2, 3, … within the app; what people say: "release 7". */
  number: Schema.Int,
  image: ImageReference,
  digest: Digest,
  processes: Schema.Array(ReleaseProcess),
  provenance: Provenance,
  createdAtMs: Schema.Int
})
export type Release = typeof Release.Type
