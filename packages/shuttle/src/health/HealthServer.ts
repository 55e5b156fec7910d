/** The server behind `HealthRoutes`, on the address of the settings. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { listenAddress } from "./internal/listenAddress.ts"

/** Fails at start when the address is unreadable or taken. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const { metricsAddress } = yield* ShuttleConfig
    const address = yield* Effect.fromResult(listenAddress(metricsAddress))
    return HttpServer.withLogAddress(NodeHttpServer.layer(createServer, address))
  })
)
