/** Answers of the API server as HTTP responses. */
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { ApiStatus } from "../ApiStatus.ts"

export const json = (body: unknown, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.uint8Array(Buffer.from(JSON.stringify(body)), {
    status,
    contentType: "application/json"
  })

/** With what the caller should know, as RFC 7234 words warnings. */
export const warned = (
  response: HttpServerResponse.HttpServerResponse,
  warnings: ReadonlyArray<string>
): HttpServerResponse.HttpServerResponse =>
  warnings.length === 0
    ? response
    : HttpServerResponse.setHeader(
        response,
        "warning",
        warnings.map((text) => `299 - ${JSON.stringify(text)}`).join(", ")
      )

export const statusBody = (status: ApiStatus) => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message: status.text,
  ...(status.reason === "" ? {} : { reason: status.reason }),
  ...(status.details === undefined ? {} : { details: status.details }),
  code: status.code
})

export const failure = (status: ApiStatus): HttpServerResponse.HttpServerResponse => {
  const answer = json(statusBody(status), status.code)
  const seconds = status.details?.retryAfterSeconds
  return seconds === undefined ? answer : HttpServerResponse.setHeader(answer, "retry-after", String(seconds))
}
