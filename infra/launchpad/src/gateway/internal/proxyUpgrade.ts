import * as http from "node:http"
import type { Duplex } from "node:stream"
import type { Endpoint } from "../EndpointTable.ts"
import { requestHeaders } from "../ForwardedHeaders.ts"
import { acquireEndpoint, targetOf, type ProxyContext, type Refusal } from "./proxyContext.ts"
import { isRefused, requestIdOf } from "./proxyRequest.ts"

const head = (status: number, text: string, raw: ReadonlyArray<string>): string => {
  const lines = [`HTTP/1.1 ${status} ${text}`]
  for (let index = 0; index + 1 < raw.length; index += 2) {
    lines.push(`${raw[index]}: ${raw[index + 1]}`)
  }
  return `${lines.join("\r\n")}\r\n\r\n`
}

const refuse = (socket: Duplex, refusal: Refusal, requestId: string): void => {
  const body = `${refusal.text}\n`
  const headers = [
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Content-Length", String(Buffer.byteLength(body))],
    ["Connection", "close"],
    ["X-Request-Id", requestId],
    ...(refusal.retryAfterSeconds === undefined ? [] : [["Retry-After", String(refusal.retryAfterSeconds)]])
  ]
  socket.end(head(refusal.status, http.STATUS_CODES[refusal.status] ?? "", headers.flat()) + body)
}

/** A request with `Upgrade`: after 101 both sockets are joined, and the endpoint no longer counts as in use. */
export const proxyUpgrade = (
  context: ProxyContext,
  request: http.IncomingMessage,
  socket: Duplex,
  firstBytes: Buffer
): void => {
  const requestId = requestIdOf(context, request)
  const target = targetOf(context, request)
  socket.on("error", () => socket.destroy())
  if ("status" in target) {
    refuse(socket, target, requestId)
    return
  }
  const tried = new Set<string>()
  let cancel: () => void = () => undefined

  const next = () => {
    cancel = () => undefined
    cancel = acquireEndpoint(context, target, tried, attempt, (refusal) => refuse(socket, refusal, requestId))
  }

  const attempt = (endpoint: Endpoint) => {
    const upstream = http.request({
      host: endpoint.address,
      port: endpoint.port,
      method: request.method ?? "GET",
      path: target.path,
      agent: false,
      setHost: false,
      headers: requestHeaders(
        request.rawHeaders,
        {
          clientAddress: request.socket.remoteAddress ?? "",
          requestId,
          host: request.headers.host ?? "",
          protocol: "http"
        },
        [
          ["Connection", "Upgrade"],
          ["Upgrade", request.headers.upgrade ?? ""]
        ]
      )
    })
    let answered = false
    const abandon = () => upstream.destroy()
    socket.once("close", abandon)
    upstream.once("upgrade", (answer, peer, peerBytes) => {
      answered = true
      context.endpoints.done(endpoint)
      peer.on("error", () => socket.destroy())
      socket.once("close", () => peer.destroy())
      peer.once("close", () => socket.destroy())
      socket.write(head(answer.statusCode ?? 101, answer.statusMessage ?? "", answer.rawHeaders))
      socket.write(peerBytes)
      peer.write(firstBytes)
      peer.pipe(socket)
      socket.pipe(peer)
    })
    upstream.once("response", (answer) => {
      answered = true
      context.endpoints.done(endpoint)
      const headers = answer.rawHeaders.filter(
        (_, index, all) =>
          !/^(connection|transfer-encoding|keep-alive)$/i.test(all[index - (index % 2)] ?? "")
      )
      socket.write(
        head(answer.statusCode ?? 502, answer.statusMessage ?? "", [...headers, "Connection", "close"])
      )
      answer.pipe(socket)
    })
    upstream.once("error", (error) => {
      socket.off("close", abandon)
      if (answered) {
        socket.destroy()
        return
      }
      context.endpoints.done(endpoint)
      if (socket.destroyed) {
        return
      }
      if (isRefused(error)) {
        tried.add(endpoint.id)
        next()
        return
      }
      const text = `The app at ${target.hostname} broke the connection before it answered.`
      refuse(socket, { status: 502, text }, requestId)
    })
    upstream.end()
  }

  socket.once("close", () => cancel())
  next()
}
