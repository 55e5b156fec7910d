/**
 * The most frequent request of all: every agent's pull each 30 s, which waits for nothing and has what is newest. Answered
 * from the memory of the entity where that is here (INV-CLU-9), and ahead of the router: to find the route, to check ids
 * against their schemas and to be counted among the requests in hand would each cost more than the answer. Whatever is not
 * plainly that is left to its route, which knows every error.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Redacted from "effect/Redacted"
import { ResidentClusters } from "../entities/ResidentClusters.ts"
import * as PullMetrics from "../metrics/PullMetrics.ts"
import { hash } from "../security/Token.ts"

const path = /^\/api\/v1\/clusters\/([0-9a-f-]{36})\/desired-state$/
const agentsToken = /^Bearer (sfc_([0-9a-f-]{36})_[A-Za-z0-9_-]{43})$/
const quoted = /^"([0-9a-f]{8}-[0-9]{1,15})"$/

/** `wait=0` is a plain pull too; its route answers it. */
const isPlain = ({ method, headers }: HttpServerRequest.HttpServerRequest): boolean =>
  method === "GET" && headers["prefer"] === undefined && headers["if-none-match"] !== undefined

/** Needs no check of what it reads: only what an entity in memory holds itself is equal to it. */
const answer = (
  residents: ResidentClusters["Service"],
  request: HttpServerRequest.HttpServerRequest
): HttpServerResponse.HttpServerResponse | undefined => {
  if (!isPlain(request)) return undefined
  const cluster = path.exec(request.url)?.[1]
  if (cluster === undefined) return undefined
  const [, token, owner] = agentsToken.exec(request.headers["authorization"] ?? "") ?? []
  const revision = quoted.exec(request.headers["if-none-match"] ?? "")?.[1]
  if (token === undefined || owner !== cluster || revision === undefined) return undefined
  if (!residents.isUpToDate(cluster, hash(Redacted.make(token)), revision)) return undefined
  return HttpServerResponse.empty({
    status: 304,
    headers: { etag: `"${revision}"`, "cache-control": "no-store" }
  })
}

/** Before every route of the router. */
export const layerRoutes = HttpRouter.middleware(
  Effect.map(
    ResidentClusters,
    (residents) => (routed) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        const response = answer(residents, request)
        return response === undefined ? routed : Effect.as(PullMetrics.answered("Unchanged"), response)
      })
  ),
  { global: true }
)
