import * as Effect from "effect/Effect"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  FieldConflict,
  KubernetesRefused,
  KubernetesUnreachable,
  ObjectNotFound,
  ObjectReplaced,
  VersionExpired
} from "../KubernetesErrors.ts"

/** The part of a Kubernetes `Status` that decides what to do. */
const Status = Schema.Struct({
  reason: Schema.optionalKey(Schema.String),
  message: Schema.optionalKey(Schema.String),
  details: Schema.optionalKey(
    Schema.Struct({
      causes: Schema.optionalKey(
        Schema.Array(
          Schema.Struct({
            reason: Schema.optionalKey(Schema.String),
            message: Schema.optionalKey(Schema.String),
            field: Schema.optionalKey(Schema.String)
          })
        )
      )
    })
  )
})

const decodeStatus = Schema.decodeUnknownOption(Schema.fromJsonString(Status))

export type AnswerError =
  | FieldConflict
  | KubernetesRefused
  | KubernetesUnreachable
  | ObjectNotFound
  | ObjectReplaced
  | VersionExpired

const retryAfterSeconds = (response: HttpClientResponse): number | null => {
  const seconds = Number(response.headers["retry-after"])
  return Number.isInteger(seconds) && seconds >= 0 ? seconds : null
}

const unavailable = (operation: string, response: HttpClientResponse) =>
  new KubernetesUnreachable({
    operation,
    status: response.status,
    retryAfterSeconds: retryAfterSeconds(response)
  })

/** The error that an answer outside 2xx stands for. */
export const errorOf = (operation: string, response: HttpClientResponse): Effect.Effect<AnswerError> =>
  response.text.pipe(
    Effect.map((body): AnswerError => {
      const status = Option.getOrUndefined(decodeStatus(body))
      const reason = status?.reason ?? "Unknown"
      const detail = status?.message ?? ""
      const conflicts =
        status?.details?.causes?.filter((cause) => cause.reason === "FieldManagerConflict") ?? []
      if (response.status === 429 || response.status >= 500) return unavailable(operation, response)
      if (response.status === 410) return new VersionExpired({ operation })
      if (response.status === 404) return new ObjectNotFound({ operation })
      if (response.status === 409) {
        return conflicts.length > 0
          ? new FieldConflict({
              operation,
              fields: conflicts.map((cause) => `${cause.field ?? "?"}: ${cause.message ?? "?"}`)
            })
          : new ObjectReplaced({ operation, detail })
      }
      return new KubernetesRefused({ operation, status: response.status, reason, detail })
    }),
    Effect.catch((cause) =>
      Effect.succeed(
        new KubernetesUnreachable({ operation, status: response.status, retryAfterSeconds: null, cause })
      )
    )
  )
