/** The local cluster's API over HTTP: who may ask, discovery, and the way to the objects. */
import { createHash, timingSafeEqual } from "node:crypto"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { failure, json } from "./Answers.ts"
import * as Discovery from "./Discovery.ts"
import * as RequestPath from "./RequestPath.ts"
import { handle } from "./ResourceHandler.ts"
import type { KubernetesSettings } from "../KubernetesSettings.ts"
import { ObjectStore } from "../ObjectStore.ts"
import { PodLogs } from "../PodLogs.ts"
import * as Statuses from "../Statuses.ts"

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Compares in constant time, so that a token cannot be guessed piece by piece. */
const makeAuthenticator = (tokens: ReadonlyArray<Redacted.Redacted<string>>) => {
  const known = tokens.map((token) => digest(Redacted.value(token)))
  return (header: string | undefined): boolean => {
    const given = digest(/^Bearer (.+)$/.exec(header ?? "")?.[1] ?? "")
    return known.some((token) => timingSafeEqual(token, given))
  }
}

const aggregatedForm = /as=APIGroupDiscoveryList/

const discovery = (path: string, accept: string): unknown => {
  const isAggregated = aggregatedForm.test(accept)
  if (path === "/api") return isAggregated ? Discovery.aggregatedDiscovery(true) : Discovery.apiVersions
  if (path === "/apis") return isAggregated ? Discovery.aggregatedDiscovery(false) : Discovery.apiGroupList()
  if (path === "/api/v1") return Discovery.apiResourceList("")
  if (path === "/version") return Discovery.version
  if (path === "/openapi/v3") return Discovery.openApiIndex()
  const openApi = /^\/openapi\/v3\/(?:api|apis\/([^/]+))\/v1$/.exec(path)
  if (openApi !== null) return Discovery.openApiDocument(openApi[1] ?? "")
  const group = /^\/apis\/([^/]+)$/.exec(path)
  if (group !== null) return Discovery.apiGroupOf(group[1] ?? "")
  const resources = /^\/apis\/([^/]+)\/v1$/.exec(path)
  return resources === null ? undefined : Discovery.apiResourceList(resources[1] ?? "")
}

const discoveryType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

const health = new Set(["/healthz", "/readyz", "/livez"])

const makeApp = (settings: KubernetesSettings) =>
  Effect.gen(function* () {
    const store = yield* ObjectStore
    const logs = yield* PodLogs
    const isPermitted = makeAuthenticator(settings.tokens)
    const app = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const mark = request.url.indexOf("?")
      const path = mark === -1 ? request.url : request.url.slice(0, mark)
      const query = new URLSearchParams(mark === -1 ? "" : request.url.slice(mark + 1))
      if (health.has(path)) return HttpServerResponse.text("ok")
      if (!isPermitted(request.headers["authorization"])) return failure(Statuses.unauthorized())
      const accept = request.headers["accept"] ?? ""
      const document = request.method === "GET" ? discovery(path.replace(/(.)\/$/, "$1"), accept) : undefined
      if (document !== undefined) {
        const isAggregated = aggregatedForm.test(accept) && (path === "/api" || path === "/apis")
        const answer = json(document)
        return isAggregated ? HttpServerResponse.setHeader(answer, "content-type", discoveryType) : answer
      }
      const target = RequestPath.parse(path)
      return target === undefined
        ? failure(Statuses.unknownPath())
        : yield* handle({ store, logs }, request, target, query)
    })
    return { app }
  })

/** Serves for as long as its scope. Needs an HTTP server, the store, and whoever has the pods' logs. */
export const layerNoDeps = (settings: KubernetesSettings) =>
  Layer.unwrap(Effect.map(makeApp(settings), ({ app }) => HttpServer.serve(app)))
