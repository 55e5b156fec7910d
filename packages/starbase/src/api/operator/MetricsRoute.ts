/** `GET /metrics` in Prometheus' text format, for the operator's token or the scraper's. */
import { Unauthenticated } from "@starform/domain/errors/RequestErrors"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as ProcessMetrics from "../../metrics/ProcessMetrics.ts"
import * as ShardMetrics from "../../metrics/ShardMetrics.ts"
import { exposed, exposedName } from "../../metrics/StarbaseMetrics.ts"
import * as StoreMetrics from "../../metrics/StoreMetrics.ts"
import * as Token from "../../security/Token.ts"
import { StarbaseConfig } from "../../StarbaseConfig.ts"
import * as BearerToken from "../BearerToken.ts"
import { answerErrors } from "../ErrorAnswer.ts"

/** The operator's token, or the scraper's, which opens this and nothing else (INV-OPR-7). Asks nobody: every role answers. */
const permit = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const { operatorTokenHash, scrapeTokenHash } = yield* StarbaseConfig
  const hash = Option.map(BearerToken.fromHeaders(request.headers), Token.hash)
  const isPermitted = Option.exists(
    hash,
    (given) => given === operatorTokenHash || Option.contains(scrapeTokenHash, given)
  )
  if (!isPermitted) return yield* new Unauthenticated({})
})

/** Only what is declared: a library's series per entity would grow with the tenants. */
const text = Effect.contextWith((context: Context.Context<never>) => {
  const all = Context.get(context, Metric.MetricRegistry)
  const declared = new Map([...all].filter(([, { id }]) => exposed.has(exposedName(id))))
  return Effect.succeed(
    PrometheusMetrics.formatUnsafe(Context.make(Metric.MetricRegistry, declared), {
      metricNameMapper: exposedName
    })
  )
})

/** @param shardGroups all of them */
export const layerRoutes = (shardGroups: ReadonlyArray<string>) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const collectors = [
        yield* ProcessMetrics.make,
        yield* ShardMetrics.make(shardGroups),
        yield* StoreMetrics.make
      ]
      const answer = (request: HttpServerRequest.HttpServerRequest) =>
        Effect.gen(function* () {
          yield* permit(request)
          for (const { collect } of collectors) yield* collect
          return HttpServerResponse.text(yield* text, {
            contentType: "text/plain; version=0.0.4; charset=utf-8",
            headers: { "cache-control": "no-store" }
          })
        })
      return HttpRouter.add("GET", "/metrics", (request) => answerErrors("scrape", answer(request)))
    })
  )
