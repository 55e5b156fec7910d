/** Which listeners a route may attach to, and whether the gateway can do what it asks (pure; Gateway API §"Route attachment"). */
import type { GatewayObject, Listener, ParentReference, RouteObject } from "./objects/GatewayObjects.ts"
import { matches } from "./objects/LabelSelector.ts"

export interface Verdict {
  readonly status: "True" | "False"
  readonly reason: string
  readonly message: string
}

/** Labels of namespaces, for listeners that select them. */
export type NamespaceLabels = ReadonlyMap<string, Readonly<Record<string, string>>>

/** `*.example.com` covers every name below it, of any depth, but not `example.com` itself. */
export const covers = (pattern: string, hostname: string): boolean =>
  pattern.startsWith("*.") ? hostname.endsWith(pattern.slice(1)) : pattern === hostname

const intersects = (listener: string | undefined, hostname: string): boolean =>
  listener === undefined || covers(listener, hostname) || covers(hostname, listener)

const allows = (
  gateway: GatewayObject,
  listener: Listener,
  route: RouteObject,
  namespaces: NamespaceLabels
): boolean => {
  const { from, selector } = listener.allowedRoutes.namespaces
  const { namespace } = route.metadata
  switch (from) {
    case "All":
      return true
    case "Selector":
      return selector !== undefined && matches(selector, namespaces.get(namespace) ?? {})
    default:
      return from === "Same" && namespace === gateway.metadata.namespace
  }
}

export const refersTo = (parent: ParentReference, route: RouteObject, gateway: GatewayObject): boolean =>
  parent.group === "gateway.networking.k8s.io" &&
  parent.kind === "Gateway" &&
  parent.name === gateway.metadata.name &&
  (parent.namespace ?? route.metadata.namespace) === gateway.metadata.namespace

const rejected = (reason: string, message: string): Verdict => ({ status: "False", reason, message })

/** What in the route goes beyond the local gateway; `undefined` when nothing does. */
export const unsupportedFeature = (route: RouteObject): string | undefined => {
  for (const rule of route.spec.rules) {
    const [filter] = rule.filters
    if (filter !== undefined) {
      return `filter ${filter.type}`
    }
    if (rule.backendRefs.some((backend) => backend.filters.length > 0)) {
      return "filters of a backend"
    }
    for (const match of rule.matches) {
      if (match.path.type !== "PathPrefix" && match.path.type !== "Exact") {
        return `path match ${match.path.type}`
      }
      const inexact = [...match.headers, ...match.queryParams].find((one) => one.type !== "Exact")
      if (inexact !== undefined) {
        return `${inexact.type} match of ${inexact.name}`
      }
    }
  }
  return undefined
}

/** The condition `Accepted` of one parent reference to this gateway. */
export const acceptance = (
  route: RouteObject,
  parent: ParentReference,
  gateway: GatewayObject,
  namespaces: NamespaceLabels
): Verdict => {
  const named = gateway.spec.listeners.filter(
    (listener) =>
      (parent.sectionName === undefined || listener.name === parent.sectionName) &&
      (parent.port === undefined || listener.port === parent.port)
  )
  if (named.length === 0) {
    return rejected("NoMatchingParent", "No listener of the gateway matches the parent reference")
  }
  const allowed = named.filter((listener) => allows(gateway, listener, route, namespaces))
  if (allowed.length === 0) {
    return rejected("NotAllowedByListeners", "No listener allows routes of this namespace")
  }
  const { hostnames } = route.spec
  const overlaps = allowed.some(
    (listener) => hostnames.length === 0 || hostnames.some((name) => intersects(listener.hostname, name))
  )
  if (!overlaps) {
    return rejected("NoMatchingListenerHostname", "No hostname of the route matches a listener")
  }
  const unsupported = unsupportedFeature(route)
  return unsupported === undefined
    ? { status: "True", reason: "Accepted", message: "Route is accepted" }
    : rejected("UnsupportedValue", `The local gateway does not implement ${unsupported}`)
}

/** Service port names by `namespace/name`. */
export type KnownServices = ReadonlyMap<string, ReadonlyArray<number>>

/** The condition `ResolvedRefs`. There are no reference grants, so a backend of another namespace is not permitted. */
export const resolution = (route: RouteObject, services: KnownServices): Verdict => {
  for (const backend of route.spec.rules.flatMap((rule) => rule.backendRefs)) {
    if (backend.group !== "" || backend.kind !== "Service") {
      return rejected("InvalidKind", `Backend kind ${backend.group}/${backend.kind} is not known`)
    }
    const namespace = backend.namespace ?? route.metadata.namespace
    if (namespace !== route.metadata.namespace) {
      return rejected("RefNotPermitted", `Service ${namespace}/${backend.name} is in another namespace`)
    }
    const ports = services.get(`${namespace}/${backend.name}`)
    if (ports === undefined) {
      return rejected("BackendNotFound", `Service ${namespace}/${backend.name} not found`)
    }
    if (backend.port === undefined || !ports.includes(backend.port)) {
      return rejected("BackendNotFound", `Service ${namespace}/${backend.name} has no port ${backend.port}`)
    }
  }
  return { status: "True", reason: "ResolvedRefs", message: "All references are resolved" }
}
