/** From what the HTTP client and the decoders say to the errors that callers react to. */
import * as Effect from "effect/Effect"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as Schema from "effect/Schema"
import {
  type FieldConflict,
  KubernetesAnswerMalformed,
  KubernetesUnreachable,
  NotLeading,
  type ObjectNotFound,
  type ObjectReplaced,
  type VersionExpired
} from "../KubernetesErrors.ts"

export const malformed = (operation: string) => (cause: unknown) =>
  new KubernetesAnswerMalformed({ operation, cause })

export const noAnswer = (operation: string) => (cause: HttpClientError) =>
  new KubernetesUnreachable({ operation, status: null, retryAfterSeconds: null, cause })

const isNotLeading = Schema.is(NotLeading)

export const unsentOrNoAnswer = (operation: string) => (cause: HttpClientError) =>
  cause.reason._tag === "TransportError" && isNotLeading(cause.reason.cause)
    ? new NotLeading({ operation })
    : noAnswer(operation)(cause)

/** An error that this request cannot get breaks the API's promise. */
export const unexpected =
  (operation: string) =>
  (cause: FieldConflict | ObjectReplaced | ObjectNotFound | VersionExpired | NotLeading) =>
    Effect.fail(new KubernetesAnswerMalformed({ operation, cause }))

export const nothing = { FieldConflict: unexpected, ObjectReplaced: unexpected } as const
