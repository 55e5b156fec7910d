/** What a build is asked and what it answers. Both travel through workflows, so they are schemas. */
import * as Schema from "effect/Schema"
import { AppId } from "@starform/domain/ids/AppId"
import { CommitSha, Digest, ImageReference } from "@starform/domain/ids/Digest"
import { BuildId, WorkspaceId } from "@starform/domain/ids/Ids"
import { ReleaseProcess } from "@starform/domain/model/Release"

export const BuildSpec = Schema.Struct({
  buildId: BuildId,
  workspaceId: WorkspaceId,
  appId: AppId,
  /** Blob: a tar of the commit's tree, paths relative to its root, as `git archive` writes it. */
  source: Digest,
  gitSha: CommitSha,
  gitRef: Schema.String,
  gitRepo: Schema.String
})
export type BuildSpec = typeof BuildSpec.Type

/** Names a submitted build; valid in every process and across restarts. */
export const BuildHandle = Schema.Struct({ buildId: BuildId, workspaceId: WorkspaceId })
export type BuildHandle = typeof BuildHandle.Type

/** Milliseconds per step; 0 for a step that was not needed. */
export const BuildDurations = Schema.Struct({
  queuedMs: Schema.Int,
  sourceMs: Schema.Int,
  installMs: Schema.Int,
  buildMs: Schema.Int,
  packageMs: Schema.Int,
  /** From submit to the end. */
  totalMs: Schema.Int
})
export type BuildDurations = typeof BuildDurations.Type

export const BuildResult = Schema.Struct({
  /** Of the image's manifest; names the release. */
  digest: Digest,
  image: ImageReference,
  /** `web` first when there is one. Never empty. */
  processes: Schema.Array(ReleaseProcess),
  /** As the source asks for in `starform.json`; `null` when it does not. */
  healthPath: Schema.NullOr(Schema.String),
  durations: BuildDurations
})
export type BuildResult = typeof BuildResult.Type
