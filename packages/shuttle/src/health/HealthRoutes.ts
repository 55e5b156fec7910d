/** What the platform asks the agent itself: is it alive, is it of use, and its numbers. No authentication, no secrets. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { ClusterCache } from "../kubernetes/ClusterCache.ts"
import { DesiredStatePull } from "../starbase/DesiredStatePull.ts"

const alive = HttpRouter.add("GET", "/healthz", HttpServerResponse.text("ok\n"))

/** 200 once every kind was listed and Starbase answered once; never taken back, because desired state outlives both. */
const ready = Layer.unwrap(
  Effect.gen(function* () {
    const cache = yield* ClusterCache
    const pull = yield* DesiredStatePull
    return HttpRouter.add(
      "GET",
      "/readyz",
      Effect.gen(function* () {
        const isSynced = yield* cache.isSynced
        const hasContacted = yield* pull.hasContacted
        const missing = [
          ...(isSynced ? [] : ["the cluster's objects are not listed yet"]),
          ...(hasContacted ? [] : ["Starbase has not answered yet"])
        ]
        return missing.length === 0
          ? HttpServerResponse.text("ok\n")
          : HttpServerResponse.text(`${missing.join("\n")}\n`, { status: 503 })
      })
    )
  })
)

const metrics = PrometheusMetrics.layerHttp({ path: "/metrics" })

export const layer: Layer.Layer<never, never, ClusterCache | DesiredStatePull | HttpServer.HttpServer> =
  HttpRouter.serve(Layer.mergeAll(alive, ready, metrics), { disableLogger: true, disableListenLog: true })
