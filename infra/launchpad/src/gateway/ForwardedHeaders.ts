/** Headers on their way through the gateway (pure; RFC 9110 §7.6.1). Raw lists keep order, case and repetition. */

/** As `http.IncomingMessage.rawHeaders`: name, value, name, value, … */
export type RawHeaders = ReadonlyArray<string>

export interface ForwardedFacts {
  readonly clientAddress: string
  readonly requestId: string
  /** As the client sent it; empty when it sent none. */
  readonly host: string
  readonly protocol: "http" | "https"
}

const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade"
])

/** Replaced by the gateway, and `expect`, which it has answered itself. */
const replaced = new Set([
  "expect",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-request-id"
])

const pairs = (raw: RawHeaders): ReadonlyArray<readonly [string, string]> => {
  const result: Array<readonly [string, string]> = []
  for (let index = 0; index + 1 < raw.length; index += 2) {
    result.push([raw[index] ?? "", raw[index + 1] ?? ""])
  }
  return result
}

/** Names that `Connection` declares to be of this hop only. */
const declared = (headers: ReadonlyArray<readonly [string, string]>): ReadonlySet<string> =>
  new Set(
    headers
      .filter(([name]) => name.toLowerCase() === "connection")
      .flatMap(([, value]) => value.split(",").map((token) => token.trim().toLowerCase()))
  )

const endToEnd = (raw: RawHeaders): ReadonlyArray<readonly [string, string]> => {
  const headers = pairs(raw)
  const local = declared(headers)
  return headers.filter(([name]) => !hopByHop.has(name.toLowerCase()) && !local.has(name.toLowerCase()))
}

/** What the endpoint gets. `framing` headers are those of the next hop: `Transfer-Encoding`, `Upgrade`. */
export const requestHeaders = (
  raw: RawHeaders,
  facts: ForwardedFacts,
  framing: ReadonlyArray<readonly [string, string]>
): Array<string> => [
  ...endToEnd(raw)
    .filter(([name]) => !replaced.has(name.toLowerCase()))
    .flat(),
  "X-Forwarded-For",
  facts.clientAddress,
  "X-Forwarded-Host",
  facts.host,
  "X-Forwarded-Proto",
  facts.protocol,
  "X-Request-Id",
  facts.requestId,
  ...framing.flat()
]

/** What the client gets; the request's id comes back unless the endpoint set one. */
export const responseHeaders = (raw: RawHeaders, requestId: string): Array<string> => {
  const headers = endToEnd(raw)
  const named = headers.some(([name]) => name.toLowerCase() === "x-request-id")
  return [...headers.flat(), ...(named ? [] : ["X-Request-Id", requestId])]
}

/** An id that a client may choose: short, and nothing that could break a log line. */
export const isRequestId = (text: string | undefined): text is string =>
  text !== undefined && /^[A-Za-z0-9_.:-]{1,128}$/.test(text)

/** Host header → name: lower case, no port, no trailing dot, brackets of IPv6 kept. */
export const hostnameOf = (host: string | undefined): string =>
  (host ?? "").toLowerCase().replace(/:\d+$/, "").replace(/\.$/, "")

/** Requests that may be sent again when it is unknown whether they arrived (RFC 9110 §9.2.2). */
export const isIdempotent = (method: string): boolean =>
  ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"].includes(method)
