/** A running proxy and the two tables that tell it where requests go. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as crypto from "node:crypto"
import * as http from "node:http"
import { makeEndpointTable, type EndpointTable } from "./EndpointTable.ts"
import { GatewayConfig } from "./GatewayConfig.ts"
import type { ProxyContext } from "./internal/proxyContext.ts"
import { listen, type GatewayAddress, type GatewayAddressUnavailable } from "./ProxyServer.ts"
import { emptyTable, type RouteTable } from "./RouteTable.ts"

export interface Proxy {
  readonly address: GatewayAddress
  readonly endpoints: EndpointTable
  /** Holds from the next request on. */
  readonly setRoutes: (table: RouteTable) => void
}

/** Serves until the scope closes; before any route is set every request is answered 404. */
export const make: Effect.Effect<Proxy, GatewayAddressUnavailable, GatewayConfig | Scope.Scope> = Effect.gen(
  function* () {
    const settings = yield* GatewayConfig
    const random = yield* Random.Random
    const runTimer = yield* FiberSet.makeRuntime<never>()
    const endpoints = makeEndpointTable()
    const agent = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new http.Agent({
            keepAlive: true,
            maxSockets: Infinity,
            maxFreeSockets: settings.idleConnectionsMax,
            scheduling: "lifo"
          })
      ),
      (agent) => Effect.sync(() => agent.destroy())
    )
    let routes = emptyTable
    const context: ProxyContext = {
      settings,
      endpoints,
      routes: () => routes,
      agent,
      random: () => random.nextDoubleUnsafe(),
      newRequestId: () => crypto.randomUUID(),
      later: (delay, callback) => {
        const fiber = runTimer(Effect.delay(Effect.sync(callback), Duration.toMillis(delay)))
        return () => fiber.interruptUnsafe()
      },
      held: 0
    }
    const address = yield* listen(context)
    yield* Effect.logDebug(`gateway listens on ${address.host}:${address.port}`)
    return {
      address,
      endpoints,
      setRoutes: (table) => {
        routes = table
      }
    }
  }
)
