/** Which rule answers a request (pure): compiled once per change of routes, asked once per request (INV-GTW-4). */
import type { GatewayObject, RouteMatch, RouteObject } from "../controllers/objects/GatewayObjects.ts"
import { acceptance, covers, refersTo, type NamespaceLabels } from "../controllers/RouteAttachment.ts"

export interface RequestFacts {
  /** Lower case, without port. */
  readonly hostname: string
  /** Without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly method: string
  readonly header: (name: string) => string | undefined
}

export interface WeightedBackend {
  /** `namespace/service:port`. */
  readonly service: string
  readonly weight: number
}

export interface RouteRule {
  /** `namespace/name` of the HTTPRoute. */
  readonly route: string
  readonly match: RouteMatch
  readonly backends: ReadonlyArray<WeightedBackend>
}

export interface RouteTable {
  readonly exact: ReadonlyMap<string, ReadonlyArray<RouteRule>>
  /** `.example.com` → rules, longest suffix first. */
  readonly wildcards: ReadonlyArray<readonly [string, ReadonlyArray<RouteRule>]>
  readonly any: ReadonlyArray<RouteRule>
}

export type RouteAnswer =
  | { readonly _tag: "Found"; readonly rule: RouteRule }
  | { readonly _tag: "UnknownHost" }
  | { readonly _tag: "UnknownPath" }

export const emptyTable: RouteTable = { exact: new Map(), wildcards: [], any: [] }

interface RankedRule extends RouteRule {
  readonly createdAt: string
}

const byPrecedence = (left: RankedRule, right: RankedRule): number =>
  Number(right.match.path.type === "Exact") - Number(left.match.path.type === "Exact") ||
  right.match.path.value.length - left.match.path.value.length ||
  Number(right.match.method !== undefined) - Number(left.match.method !== undefined) ||
  right.match.headers.length - left.match.headers.length ||
  right.match.queryParams.length - left.match.queryParams.length ||
  left.createdAt.localeCompare(right.createdAt) ||
  left.route.localeCompare(right.route)

/** Names under which the route is served at a listener; `*` is every name. */
const servedNames = (route: RouteObject, listenerName: string | undefined): ReadonlyArray<string> => {
  const names = route.spec.hostnames.map((name) => name.toLowerCase())
  if (listenerName === undefined) {
    return names.length === 0 ? ["*"] : names
  }
  return names.length === 0
    ? [listenerName]
    : names.flatMap((name) =>
        covers(listenerName, name) ? [name] : covers(name, listenerName) ? [listenerName] : []
      )
}

const rulesOf = (route: RouteObject): ReadonlyArray<RankedRule> =>
  route.spec.rules.flatMap((rule) =>
    rule.matches.map((match) => ({
      route: `${route.metadata.namespace}/${route.metadata.name}`,
      createdAt: route.metadata.creationTimestamp,
      match,
      backends: rule.backendRefs.map((backend) => ({
        service: `${backend.namespace ?? route.metadata.namespace}/${backend.name}:${backend.port ?? 0}`,
        weight: backend.weight
      }))
    }))
  )

/** Only routes that a listener accepts are served, exactly as their status says. */
export const compileRoutes = (
  gateways: ReadonlyArray<GatewayObject>,
  routes: ReadonlyArray<RouteObject>,
  namespaces: NamespaceLabels
): RouteTable => {
  const byName = new Map<string, Array<RankedRule>>()
  for (const route of routes) {
    const names = gateways.flatMap((gateway) =>
      route.spec.parentRefs
        .filter((parent) => refersTo(parent, route, gateway))
        .flatMap((parent) =>
          gateway.spec.listeners
            .filter((listener) => (parent.sectionName ?? listener.name) === listener.name)
            .filter(
              (listener) =>
                acceptance(route, { ...parent, sectionName: listener.name }, gateway, namespaces).status ===
                "True"
            )
            .flatMap((listener) => servedNames(route, listener.hostname?.toLowerCase()))
        )
    )
    const rules = rulesOf(route)
    for (const name of new Set(names)) {
      byName.set(name, [...(byName.get(name) ?? []), ...rules])
    }
  }
  const sorted = [...byName].map(([name, rules]) => [name, rules.sort(byPrecedence)] as const)
  return {
    exact: new Map(sorted.filter(([name]) => !name.startsWith("*"))),
    wildcards: sorted
      .filter(([name]) => name.startsWith("*."))
      .map(([name, rules]) => [name.slice(1), rules] as const)
      .sort(([left], [right]) => right.length - left.length),
    any: byName.get("*") ?? []
  }
}

/** A prefix matches whole path elements: `/foo` covers `/foo` and `/foo/bar`, not `/foobar`. */
const matchesPath = (match: RouteMatch["path"], path: string): boolean => {
  if (match.type === "Exact") {
    return path === match.value
  }
  const prefix = match.value.endsWith("/") ? match.value.slice(0, -1) : match.value
  return path === prefix || path.startsWith(`${prefix}/`)
}

const matchesRequest = (match: RouteMatch, request: RequestFacts): boolean =>
  matchesPath(match.path, request.path) &&
  (match.method === undefined || match.method === request.method) &&
  match.headers.every((header) => request.header(header.name.toLowerCase()) === header.value) &&
  match.queryParams.every((parameter) => request.query.get(parameter.name) === parameter.value)

/** The more specific host is asked first; a host whose rules do not match leaves the request to the next. */
export const findRule = (table: RouteTable, request: RequestFacts): RouteAnswer => {
  const candidates = [
    table.exact.get(request.hostname),
    ...table.wildcards.filter(([suffix]) => request.hostname.endsWith(suffix)).map(([, rules]) => rules),
    table.any.length === 0 ? undefined : table.any
  ].filter((rules) => rules !== undefined)
  for (const rules of candidates) {
    const rule = rules.find((one) => matchesRequest(one.match, request))
    if (rule !== undefined) {
      return { _tag: "Found", rule }
    }
  }
  return candidates.length === 0 ? { _tag: "UnknownHost" } : { _tag: "UnknownPath" }
}

/** `point` in [0, 1) chooses by weight; `undefined` when no backend has a weight. */
export const chooseBackend = (
  backends: ReadonlyArray<WeightedBackend>,
  point: number
): WeightedBackend | undefined => {
  const total = backends.reduce((sum, backend) => sum + backend.weight, 0)
  let left = point * total
  return backends.find((backend) => {
    left -= backend.weight
    return left < 0
  })
}
