/** Answers to what clients ask before anything else; made once, since the kinds do not change. */
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Discovery from "./Discovery.ts"
import * as MetricsAnswers from "./MetricsAnswers.ts"
import * as OpenApiDocuments from "./OpenApiDocuments.ts"

interface Document {
  readonly body: Uint8Array
  readonly contentType: string
  /** Only documents that clients ask for again by it have one. */
  readonly tag?: string
}

const plainText = "text/plain; charset=utf-8"
const aggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))

const plain = (value: unknown): Document => ({ body: bytes(value), contentType: "application/json" })

const aggregated = (core: boolean, hasMetrics: boolean): Document => {
  const found = Discovery.aggregatedDiscovery(core)
  const value = core || !hasMetrics ? found : { ...found, items: [...found.items, MetricsAnswers.aggregated] }
  return { body: bytes(value), contentType: aggregatedType, tag: `"${OpenApiDocuments.hashOf(value)}"` }
}

const healthy: Document = { body: Buffer.from("ok"), contentType: plainText }

const metricsDocuments: ReadonlyArray<[string, Document]> = [
  [
    `/apis/${MetricsAnswers.group}`,
    plain({ kind: "APIGroup", apiVersion: "v1", ...MetricsAnswers.apiGroup })
  ],
  [`/apis/${MetricsAnswers.apiResourceList.groupVersion}`, plain(MetricsAnswers.apiResourceList)]
]

const documents = (hasMetrics: boolean): ReadonlyMap<string, Document> => {
  const list = Discovery.apiGroupList()
  const groups = list.groups.map(({ name }) => name)
  const allGroups = hasMetrics ? { ...list, groups: [...list.groups, MetricsAnswers.apiGroup] } : list
  return new Map<string, Document>([
    ["/api", plain(Discovery.apiVersions)],
    ["/apis", plain(allGroups)],
    ["/api/v1", plain(Discovery.apiResourceList(""))],
    ["/version", plain(Discovery.version)],
    ["/openapi/v3", { ...plain(OpenApiDocuments.index()), contentType: plainText }],
    ["/openapi/v3/api/v1", plain(OpenApiDocuments.ofGroup(""))],
    ...(hasMetrics ? metricsDocuments : []),
    ...groups.flatMap((group): ReadonlyArray<[string, Document]> => [
      [`/apis/${group}`, plain(Discovery.apiGroupOf(group))],
      [`/${OpenApiDocuments.pathOf(group)}`, plain(Discovery.apiResourceList(group))],
      [`/openapi/v3/${OpenApiDocuments.pathOf(group)}`, plain(OpenApiDocuments.ofGroup(group))]
    ])
  ])
}

const respond = (document: Document, request: HttpServerRequest.HttpServerRequest) => {
  const { body, contentType, tag } = document
  if (tag === undefined) return HttpServerResponse.uint8Array(body, { contentType })
  const headers = { etag: tag, vary: "Accept" }
  return request.headers["if-none-match"] === tag
    ? HttpServerResponse.empty({ status: 304, headers })
    : HttpServerResponse.uint8Array(body, { contentType, headers })
}

const aggregatedForm = /as=APIGroupDiscoveryList/

const healthPaths = new Set(["/healthz", "/readyz", "/livez"])

/** What everybody may ask. */
export const health = (path: string) =>
  healthPaths.has(path)
    ? HttpServerResponse.uint8Array(healthy.body, { contentType: healthy.contentType })
    : undefined

/** Answers a path of discovery; `undefined` for every other request. */
export const make = (hasMetrics: boolean) => {
  const known = documents(hasMetrics)
  const aggregates = new Map([
    ["/api", aggregated(true, hasMetrics)],
    ["/apis", aggregated(false, hasMetrics)]
  ])
  return (
    path: string,
    request: HttpServerRequest.HttpServerRequest
  ): HttpServerResponse.HttpServerResponse | undefined => {
    if (request.method !== "GET") return undefined
    const plainPath = path.replace(/(.)\/$/, "$1")
    const isAggregated = aggregatedForm.test(request.headers["accept"] ?? "")
    const document = (isAggregated ? aggregates.get(plainPath) : undefined) ?? known.get(plainPath)
    return document === undefined ? undefined : respond(document, request)
  }
}

/** A path at which there is nothing at all. */
export const noSuchPath = () =>
  HttpServerResponse.uint8Array(Buffer.from("404 page not found\n"), { status: 404, contentType: plainText })
