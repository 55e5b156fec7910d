/** An OpenTelemetry receiver: takes OTLP over HTTP as JSON and keeps what came, as long as the scope is open. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"

export interface ReceivedSpan {
  readonly service: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly links: ReadonlyArray<{ readonly traceId: string; readonly spanId: string }>
  readonly status: { readonly code: number; readonly message?: string }
}

interface Keyed {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface TraceBody {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: ReadonlyArray<Keyed> }
    readonly scopeSpans: ReadonlyArray<{
      readonly spans: ReadonlyArray<
        Omit<ReceivedSpan, "service" | "attributes"> & { readonly attributes: ReadonlyArray<Keyed> }
      >
    }>
  }>
}

const values = (attributes: ReadonlyArray<Keyed>): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

const spansOf = (body: string): ReadonlyArray<ReceivedSpan> =>
  (JSON.parse(body) as TraceBody).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        ...span,
        service: String(values(resource.attributes)["service.name"]),
        attributes: values(span.attributes)
      }))
    )
  )

export interface TraceReceiver {
  readonly url: string
  /** Every body, as it came. */
  readonly bodies: Array<string>
  readonly spans: Array<ReceivedSpan>
}

export const make = Effect.gen(function* () {
  const bodies: Array<string> = []
  const spans: Array<ReceivedSpan> = []
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8")
      if (request.url === "/v1/traces") {
        bodies.push(body)
        spans.push(...spansOf(body))
      }
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
    () =>
      Effect.promise(async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      })
  )
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, bodies, spans } satisfies TraceReceiver
})
