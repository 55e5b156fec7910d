/**
 * Requests to the API server beside those of `KubernetesClient`, over a connection of their own: no pace of the reconciler
 * delays them, and what they carry does not pass through it. For the agent's own few objects.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { KubernetesConnection } from "./KubernetesConnection.ts"

/**
 * Sends one request and reads its answer, whatever its status; it is not repeated.
 *
 * @param timeout of request and answer together
 * @param unanswered from the cause of no answer
 */
export const make = Effect.fnUntraced(function* <E>(
  timeout: Duration.Duration,
  unanswered: (cause: unknown) => E
) {
  const connection = yield* KubernetesConnection
  const dispatcher = yield* NodeHttpClient.makeDispatcherOptions({ connect: connection.tls })
  const client = yield* NodeHttpClient.makeUndici.pipe(
    Effect.provideService(NodeHttpClient.Dispatcher, dispatcher)
  )
  return Effect.fnUntraced(
    function* (request: HttpClientRequest.HttpClientRequest) {
      const authorization = yield* connection.authorization
      const authorized = Option.match(authorization, {
        onNone: () => request,
        onSome: (value) => HttpClientRequest.setHeader(request, "authorization", Redacted.value(value))
      })
      const response = yield* client.execute(HttpClientRequest.prependUrl(authorized, connection.url))
      return { status: response.status, text: yield* response.text }
    },
    Effect.timeout(timeout),
    Effect.mapError(unanswered)
  )
})
