import * as http from "node:http"
import type { Endpoint } from "../EndpointTable.ts"
import { isIdempotent, isRequestId, requestHeaders, responseHeaders } from "../ForwardedHeaders.ts"
import {
  acquireEndpoint,
  targetOf,
  type ProxyContext,
  type Refusal,
  type RequestTarget
} from "./proxyContext.ts"

export const requestIdOf = (context: ProxyContext, request: http.IncomingMessage): string => {
  const sent = request.headers["x-request-id"]
  return typeof sent === "string" && isRequestId(sent) ? sent : context.newRequestId()
}

export const hasBody = (request: http.IncomingMessage): boolean =>
  request.headers["transfer-encoding"] !== undefined ||
  (request.headers["content-length"] !== undefined && request.headers["content-length"] !== "0")

/** Nothing listens there: the request has certainly not arrived. */
export const isRefused = (error: Error): boolean =>
  "code" in error && (error.code === "ECONNREFUSED" || error.code === "EADDRNOTAVAIL")

const refuse = (response: http.ServerResponse, refusal: Refusal, requestId: string): void => {
  const body = `${refusal.text}\n`
  response.writeHead(refusal.status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Request-Id": requestId,
    ...(refusal.retryAfterSeconds === undefined ? {} : { "Retry-After": String(refusal.retryAfterSeconds) })
  })
  response.end(body)
}

/** One request from its head to the end of its answer; see README for retries (INV-GTW-2). */
export const proxyRequest = (
  context: ProxyContext,
  request: http.IncomingMessage,
  response: http.ServerResponse
): void => {
  const requestId = requestIdOf(context, request)
  const target = targetOf(context, request)
  if ("status" in target) {
    refuse(response, target, requestId)
    return
  }
  const tried = new Set<string>()
  const withBody = hasBody(request)
  let brokenRetries = 0
  let bodyStarted = false
  let clientGone = false
  let cancelAcquire: () => void = () => undefined
  let current: http.ClientRequest | undefined

  const next = () => {
    cancelAcquire = () => undefined
    cancelAcquire = acquireEndpoint(
      context,
      target,
      tried,
      (endpoint) => {
        cancelAcquire = () => undefined
        attempt(endpoint)
      },
      (refusal) => {
        cancelAcquire = () => undefined
        refuse(response, refusal, requestId)
      }
    )
  }

  const attempt = (endpoint: Endpoint) => {
    const upstream = open(context, request, target, endpoint, requestId)
    current = upstream
    let answer: http.IncomingMessage | undefined
    let counted = true
    const release = () => {
      if (counted) {
        counted = false
        context.endpoints.done(endpoint)
      }
    }
    const startBody = () => {
      if (withBody) {
        bodyStarted = true
        request.pipe(upstream)
      } else {
        upstream.end()
      }
    }
    upstream.once("socket", (socket) => {
      if (socket.connecting) {
        socket.once("connect", startBody)
      } else {
        startBody()
      }
    })
    upstream.once("response", (received) => {
      answer = received
      response.once("close", release)
      if (clientGone || response.destroyed) {
        release()
        upstream.destroy()
        return
      }
      response.writeHead(
        received.statusCode ?? 502,
        received.statusMessage ?? "",
        responseHeaders(received.rawHeaders, requestId)
      )
      if (received.headers["content-length"] === undefined) {
        response.flushHeaders()
      }
      received.once("error", () => response.destroy())
      received.once("end", () => {
        if (received.rawTrailers.length > 0) {
          response.addTrailers(received.trailers as http.OutgoingHttpHeaders)
        }
      })
      received.pipe(response)
    })
    upstream.once("close", () => {
      if (answer === undefined) {
        release()
      }
    })
    upstream.on("error", (error) => {
      if (answer !== undefined) {
        if (!answer.complete) {
          response.destroy()
        }
        return
      }
      release()
      if (clientGone) {
        return
      }
      const refused = isRefused(error)
      const repeatable = !bodyStarted && isIdempotent(request.method ?? "")
      if (!bodyStarted && (refused || (repeatable && brokenRetries < context.settings.brokenRetriesMax))) {
        brokenRetries += refused ? 0 : 1
        tried.add(endpoint.id)
        next()
        return
      }
      refuse(
        response,
        { status: 502, text: `The app at ${target.hostname} broke the connection before it answered.` },
        requestId
      )
    })
  }

  response.once("close", () => {
    if (!response.writableFinished) {
      clientGone = true
      cancelAcquire()
      current?.destroy()
    }
  })
  next()
}

const open = (
  context: ProxyContext,
  request: http.IncomingMessage,
  target: RequestTarget,
  endpoint: Endpoint,
  requestId: string
): http.ClientRequest =>
  http.request({
    host: endpoint.address,
    port: endpoint.port,
    method: request.method ?? "GET",
    path: target.path,
    agent: context.agent,
    setHost: false,
    headers: requestHeaders(
      request.rawHeaders,
      {
        clientAddress: request.socket.remoteAddress ?? "",
        requestId,
        host: request.headers.host ?? "",
        protocol: "http"
      },
      request.headers["transfer-encoding"] === undefined ? [] : [["Transfer-Encoding", "chunked"]]
    )
  })
