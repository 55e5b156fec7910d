import type * as Duration from "effect/Duration"
import type * as http from "node:http"
import type { Endpoint, EndpointTable } from "../EndpointTable.ts"
import { hostnameOf } from "../ForwardedHeaders.ts"
import type { GatewaySettings } from "../GatewayConfig.ts"
import { chooseBackend, findRule, type RouteTable } from "../RouteTable.ts"

/** What every request needs; made once per gateway. */
export interface ProxyContext {
  readonly settings: GatewaySettings
  readonly endpoints: EndpointTable
  readonly routes: () => RouteTable
  readonly agent: http.Agent
  /** In [0, 1). */
  readonly random: () => number
  readonly newRequestId: () => string
  /** Calls back once after the delay. Returns its cancellation. */
  readonly later: (delay: Duration.Duration, callback: () => void) => () => void
  /** How many requests wait for an endpoint. */
  held: number
}

/** Why a request gets no endpoint; becomes a plain text answer. */
export interface Refusal {
  readonly status: number
  readonly text: string
  readonly retryAfterSeconds?: number
}

export interface RequestTarget {
  readonly hostname: string
  /** Path and query as sent to the endpoint. */
  readonly path: string
  /** `namespace/service:port`. */
  readonly service: string
}

/** A request line may hold a whole URL (RFC 9112 §3.2.2); its authority then counts instead of `Host`. */
const originOf = (request: http.IncomingMessage): { readonly host: string; readonly path: string } => {
  const url = request.url ?? "/"
  if (!url.startsWith("/") && URL.canParse(url)) {
    const { host, pathname, search } = new URL(url)
    return { host, path: `${pathname}${search}` }
  }
  return { host: request.headers.host ?? "", path: url }
}

const headerOf = (request: http.IncomingMessage) => (name: string) => {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(", ") : value
}

export const targetOf = (context: ProxyContext, request: http.IncomingMessage): RequestTarget | Refusal => {
  const { host, path } = originOf(request)
  const hostname = hostnameOf(host)
  const question = path.indexOf("?")
  const pathname = question < 0 ? path : path.slice(0, question)
  const answer = findRule(context.routes(), {
    hostname,
    path: pathname,
    query: new URLSearchParams(question < 0 ? "" : path.slice(question + 1)),
    method: request.method ?? "GET",
    header: headerOf(request)
  })
  if (answer._tag === "UnknownHost") {
    return {
      status: 404,
      text: hostname === "" ? "The request names no host." : `Nothing is deployed at ${hostname}.`
    }
  }
  if (answer._tag === "UnknownPath") {
    return { status: 404, text: `Nothing is deployed at ${hostname}${pathname}.` }
  }
  const backend = chooseBackend(answer.rule.backends, context.random())
  return backend === undefined
    ? { status: 500, text: `Nothing serves ${hostname}${pathname}.` }
    : { hostname, path, service: backend.service }
}

/** For the visitor of an app: names nothing but the address that was asked for. */
const notReady = (hostname: string, size: number | undefined): Refusal => ({
  status: 503,
  text:
    size === undefined || size === 0
      ? `The app at ${hostname} runs no copies.`
      : `The app at ${hostname} is not ready yet; try again in a moment.`,
  retryAfterSeconds: 1
})

/** An endpoint, now or as soon as one is ready; `tried` is emptied whenever it is worth trying all again. Returns its cancellation. */
export const acquireEndpoint = (
  context: ProxyContext,
  { hostname, service }: RequestTarget,
  tried: Set<string>,
  onEndpoint: (endpoint: Endpoint) => void,
  onRefusal: (refusal: Refusal) => void
): (() => void) => {
  const { endpoints, settings } = context
  const first = endpoints.pick(service, tried)
  if (first !== undefined) {
    onEndpoint(first)
    return () => undefined
  }
  const size = endpoints.size(service)
  if (size === undefined || size === 0 || context.held >= settings.heldRequestsMax) {
    onRefusal(notReady(hostname, size))
    return () => undefined
  }
  context.held += 1
  let cancelChange: () => void = () => undefined
  let cancelPoll: () => void = () => undefined
  const settle = () => {
    context.held -= 1
    cancelChange()
    cancelPoll()
    cancelDeadline()
  }
  const look = () => {
    cancelChange()
    cancelPoll()
    tried.clear()
    const endpoint = endpoints.pick(service, tried)
    if (endpoint !== undefined) {
      settle()
      onEndpoint(endpoint)
      return
    }
    wait()
  }
  const wait = () => {
    cancelChange = endpoints.onChange(look)
    cancelPoll = context.later(settings.holdPoll, look)
  }
  const cancelDeadline = context.later(settings.holdMax, () => {
    settle()
    onRefusal(notReady(hostname, endpoints.size(service)))
  })
  wait()
  return settle
}
