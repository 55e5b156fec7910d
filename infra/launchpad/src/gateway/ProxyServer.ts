/** The gateway's listening socket (adapter over node:http), as a scoped effect. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as http from "node:http"
import type { Duplex } from "node:stream"
import type { ProxyContext } from "./internal/proxyContext.ts"
import { proxyRequest } from "./internal/proxyRequest.ts"
import { proxyUpgrade } from "./internal/proxyUpgrade.ts"

/** The address cannot be listened on, most often because another program has the port. */
export class GatewayAddressUnavailable extends Schema.TaggedError<GatewayAddressUnavailable>()(
  "GatewayAddressUnavailable",
  { host: Schema.String, port: Schema.Int, cause: Schema.Defect() }
) {
  override get message() {
    return `the gateway cannot listen on ${this.host}:${this.port}`
  }
}

export interface GatewayAddress {
  readonly host: string
  readonly port: number
}

/** Listens until the scope closes; then takes nothing new and gives what is in flight `shutdownGrace`. */
export const listen = Effect.fn("ProxyServer.listen")(function* (
  context: ProxyContext
): Effect.fn.Return<GatewayAddress, GatewayAddressUnavailable, Scope.Scope> {
  const { clientIdleMax, headersTimeout, host, port, shutdownGrace } = context.settings
  const upgraded = new Set<Duplex>()
  const server = http.createServer({
    keepAliveTimeout: Duration.toMillis(clientIdleMax),
    headersTimeout: Duration.toMillis(headersTimeout),
    requestTimeout: 0
  })
  server.on("request", (request, response) => proxyRequest(context, request, response))
  server.on("upgrade", (request, socket, firstBytes) => {
    upgraded.add(socket)
    socket.once("close", () => upgraded.delete(socket))
    proxyUpgrade(context, request, socket, firstBytes)
  })

  const open = Effect.callback<void, GatewayAddressUnavailable>((resume) => {
    server.once("error", (cause) => resume(Effect.fail(new GatewayAddressUnavailable({ host, port, cause }))))
    server.listen({ host, port }, () => resume(Effect.void))
  })
  const closed = Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeIdleConnections()
  })
  yield* Effect.acquireRelease(open, () =>
    Effect.sync(() => {
      for (const socket of upgraded) {
        socket.destroy()
      }
    }).pipe(
      Effect.andThen(Effect.timeoutOption(closed, shutdownGrace)),
      Effect.andThen(Effect.sync(() => server.closeAllConnections()))
    )
  )
  const address = server.address()
  return { host, port: typeof address === "object" && address !== null ? address.port : port }
})
