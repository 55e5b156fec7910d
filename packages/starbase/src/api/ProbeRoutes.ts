/** Whether this process lives (`GET /healthz`) and is ready (`GET /readyz`: 200, or 503 with what it waits for). Every role has them. */
import { statusOf } from "@starform/domain/errors/Reaction"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { Readiness } from "./Readiness.ts"

const health = HttpRouter.add("GET", "/healthz", HttpServerResponse.text("ok"))

const readiness = Layer.effectDiscard(
  Effect.gen(function* () {
    const router = yield* HttpRouter.HttpRouter
    const { missing } = yield* Readiness
    yield* router.add(
      "GET",
      "/readyz",
      Effect.map(missing, (waitingFor) =>
        HttpServerResponse.jsonUnsafe(
          { ready: waitingFor.length === 0, waitingFor },
          { status: waitingFor.length === 0 ? 200 : statusOf("repeat") }
        )
      )
    )
  })
)

/** Adds its routes to the router; needs `Readiness`. */
export const layerRoutes = Layer.mergeAll(health, readiness)
