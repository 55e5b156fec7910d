/** Content addresses: of blobs and images, and of commits. */
import * as Schema from "effect/Schema"

/** SHA-256 of the content, as OCI writes it: `sha256:` and 64 lower-case hex digits. */
export const Digest = Schema.String.check(Schema.isPattern(/^sha256:[0-9a-f]{64}$/)).pipe(
  Schema.brand("Digest")
)
export type Digest = typeof Digest.Type

/** SHA-256 of a token, 64 lower-case hex digits: all that anybody but its holder keeps of it. */
export const TokenHash = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))

/** A full git object name, SHA-1 (40 hex digits) or SHA-256 (64). */
export const CommitSha = Schema.String.check(Schema.isPattern(/^([0-9a-f]{40}|[0-9a-f]{64})$/)).pipe(
  Schema.brand("CommitSha")
)
export type CommitSha = typeof CommitSha.Type

/** An image reference that carries its digest; a tag alone never names a release. */
export const ImageReference = Schema.String.check(
  Schema.isMaxLength(512),
  Schema.isPattern(/^[a-z0-9][a-z0-9._:/-]*@sha256:[0-9a-f]{64}$/)
).pipe(Schema.brand("ImageReference"))
export type ImageReference = typeof ImageReference.Type
