/** What the Kubernetes API answers instead of an object: the `Status` kind, as a typed error. */
import * as Schema from "effect/Schema"

/** One field that is wrong, as in `details.causes`. */
export const StatusCause = Schema.Struct({
  reason: Schema.optionalKey(Schema.String),
  message: Schema.String,
  field: Schema.optionalKey(Schema.String)
})
export type StatusCause = typeof StatusCause.Type

export const StatusDetails = Schema.Struct({
  name: Schema.optionalKey(Schema.String),
  group: Schema.optionalKey(Schema.String),
  kind: Schema.optionalKey(Schema.String),
  uid: Schema.optionalKey(Schema.String),
  causes: Schema.optionalKey(Schema.Array(StatusCause)),
  retryAfterSeconds: Schema.optionalKey(Schema.Int)
})
export type StatusDetails = typeof StatusDetails.Type

/** `reason` is Kubernetes' own word (`NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, …); `code` the HTTP status. */
export class ApiStatus extends Schema.TaggedError<ApiStatus>()("ApiStatus", {
  code: Schema.Int,
  reason: Schema.String,
  text: Schema.String,
  details: Schema.optionalKey(StatusDetails)
}) {
  override get message() {
    return this.text
  }
}
