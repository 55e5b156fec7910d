/** Sends the spans of deploys to an OpenTelemetry receiver: OTLP over HTTP, as JSON. A receiver that is away costs its spans and nothing else. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpResource from "effect/observability/OtlpResource"
import type { TraceData } from "effect/observability/OtlpTracer"
import * as Tracer from "effect/Tracer"
import * as DeployTracer from "./DeployTracer.ts"

export interface OtlpSettings {
  /** Base URL of the receiver; spans go to `<url>/v1/traces`. */
  readonly url: string
  /** Which program this is, e.g. `starbase`. */
  readonly serviceName: string
  /** Which one of them. */
  readonly instance: string
}

/** Longest time between a span's end and its way out. */
const exportInterval = Duration.seconds(1)

const batchMax = 500

/** Longest wait for the receiver, and for the last batch when the process ends. */
const requestMax = Duration.seconds(5)
const shutdownMax = Duration.seconds(2)

/** @source OpenTelemetry protocol, `opentelemetry/proto/trace/v1/trace.proto` */
const kinds = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const
const statusOk = 1
const statusError = 2
const statusUnset = 0

type OtlpSpan = TraceData["resourceSpans"][number]["scopeSpans"][number]["spans"][number]

const encode = (span: DeployTracer.EndedSpan): OtlpSpan => {
  const { problem, isError } = span.end
  const ended = problem === null ? [] : [["error.type", problem] as [string, unknown]]
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    name: span.name,
    kind: kinds[span.kind],
    startTimeUnixNano: String(span.startNanos),
    endTimeUnixNano: String(span.endNanos),
    attributes: OtlpResource.entriesToAttributes([...span.attributes, ...ended]),
    droppedAttributesCount: 0,
    events: [],
    droppedEventsCount: 0,
    status: isError
      ? { code: statusError, message: problem ?? "" }
      : { code: problem === null ? statusOk : statusUnset },
    links: span.links.map(({ traceId, spanId }) => ({
      traceId,
      spanId,
      attributes: [],
      droppedAttributesCount: 0
    })),
    droppedLinksCount: 0
  }
}

/** A tracer that exports; what it still holds goes out when its scope closes. */
const make = Effect.fnUntraced(function* (settings: OtlpSettings) {
  const resource = OtlpResource.make({
    serviceName: settings.serviceName,
    attributes: { "service.namespace": "starform", "service.instance.id": settings.instance }
  })
  const client = yield* HttpClient.HttpClient
  const exporter = yield* OtlpExporter.make({
    label: "DeployTracer",
    url: `${settings.url.replace(/\/+$/, "")}/v1/traces`,
    headers: undefined,
    exportInterval,
    maxBatchSize: batchMax,
    shutdownTimeout: shutdownMax,
    body: (spans: Array<DeployTracer.EndedSpan>) => {
      const data: TraceData = {
        resourceSpans: [{ resource, scopeSpans: [{ scope: { name: "starform" }, spans: spans.map(encode) }] }]
      }
      return [HttpBody.text(JSON.stringify(data), "application/json"), Effect.void]
    }
  }).pipe(
    Effect.provideService(
      HttpClient.HttpClient,
      HttpClient.transformResponse(client, (response) =>
        Effect.timeoutOrElse(response, {
          duration: requestMax,
          orElse: () => Effect.die("the receiver of traces does not answer")
        })
      )
    )
  )
  return DeployTracer.make((span) => exporter.push(span))
})

/** For whoever builds the layer: the tracer of everything above it. */
export const layer = (
  settings: OtlpSettings
): Layer.Layer<never, never, HttpClient.HttpClient | OtlpExporter.Flusher> =>
  Layer.effect(Tracer.Tracer, make(settings))
