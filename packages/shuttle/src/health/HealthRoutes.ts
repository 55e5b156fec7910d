/** What the platform asks the agent itself: is it alive, is it of use, and its numbers. No authentication, no secrets. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { ClusterCache } from "../kubernetes/ClusterCache.ts"
import { Tenure } from "../leadership/Tenure.ts"
import { DesiredStatePull } from "../starbase/DesiredStatePull.ts"

const alive = HttpRouter.add("GET", "/healthz", HttpServerResponse.text("ok\n"))

/**
 * 200 once every kind was listed, Starbase answered once, and the Lease was read where there is one: this agent leads or could
 * take over. Never taken back, because desired state outlives all of them.
 */
const ready = Layer.unwrap(
  Effect.gen(function* () {
    const cache = yield* ClusterCache
    const pull = yield* DesiredStatePull
    const tenure = yield* Tenure
    return HttpRouter.add(
      "GET",
      "/readyz",
      Effect.gen(function* () {
        const isSynced = yield* cache.isSynced
        const hasContacted = yield* pull.hasContacted
        const isAble = yield* tenure.isAble
        const missing = [
          ...(isSynced ? [] : ["the cluster's objects are not listed yet"]),
          ...(hasContacted ? [] : ["Starbase has not answered yet"]),
          ...(isAble ? [] : ["the Lease that says who leads was not read yet"])
        ]
        return missing.length === 0
          ? HttpServerResponse.text("ok\n")
          : HttpServerResponse.text(`${missing.join("\n")}\n`, { status: 503 })
      })
    )
  })
)

const metrics = PrometheusMetrics.layerHttp({ path: "/metrics" })

export const layer: Layer.Layer<
  never,
  never,
  ClusterCache | DesiredStatePull | Tenure | HttpServer.HttpServer
> = HttpRouter.serve(Layer.mergeAll(alive, ready, metrics), { disableLogger: true, disableListenLog: true })
