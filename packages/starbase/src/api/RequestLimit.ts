/**
 * How many requests this process has in hand at once, parked pulls and pushes that wait among them. One more hears
 * `Overloaded` and when to come back: a storm of callers is served in turns, and never grows a queue without end.
 */
import { statusOf } from "@starform/domain/errors/Reaction"
import { Overloaded } from "@starform/domain/errors/RequestErrors"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Metric from "effect/Metric"
import { requestsInHand, requestsRefused, shownAs } from "../metrics/StarbaseMetrics.ts"
import { StarbaseConfig } from "../StarbaseConfig.ts"

/** Told to whoever is turned away; callers vary it themselves. */
const retryAfterSeconds = 1

/** What is answered at any load, so that a busy process is not taken for a dead one. */
const always: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"])

const busy = (() => {
  const error = new Overloaded({ what: "this process", retryAfterSeconds })
  return HttpServerResponse.jsonUnsafe(
    { error: error._tag, message: error.person },
    { status: statusOf(error.reaction), headers: { "retry-after": String(retryAfterSeconds) } }
  )
})()

/** Applies to every route of the router. */
export const layerRoutes = HttpRouter.middleware(
  Effect.gen(function* () {
    const { requestsMax } = yield* StarbaseConfig
    let present = 0
    const leave = Effect.sync(() => void present--)
    yield* shownAs(requestsInHand, () => present)
    return (handled) =>
      Effect.suspend(() => {
        if (present < requestsMax) {
          present++
          return Effect.ensuring(handled, leave)
        }
        return Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) =>
          always.has(url) ? handled : Effect.as(Metric.update(requestsRefused, 1), busy)
        )
      })
  }),
  { global: true }
)
