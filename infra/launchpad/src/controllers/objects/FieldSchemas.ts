/** Pieces of schemas for Kubernetes objects. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A field that the API leaves out when it is empty. */
export const defaulted = <S extends Schema.Constraint>(
  schema: S,
  value: S["Encoded"]
): Schema.withDecodingDefaultKey<S> => Schema.withDecodingDefaultKey<S>(Effect.succeed(value))(schema)

export const strings = Schema.Record(Schema.String, Schema.String)

/** A JSON object whose content is not looked into. */
export const opaque = Schema.Record(Schema.String, Schema.Unknown)

export const intOrString = Schema.Union([Schema.Int, Schema.String])
