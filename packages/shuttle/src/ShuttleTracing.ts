/** Traces of deploys where there is a receiver for them; anywhere else spans are not even made. */
import * as OtlpExport from "@starform/domain/tracing/OtlpExport"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as Option from "effect/Option"
import * as References from "effect/References"
import { ShuttleConfig } from "./ShuttleConfig.ts"

const off = Layer.succeed(References.TracerEnabled)(false)

/** Provide it beneath everything whose spans are to be seen. */
export const layer: Layer.Layer<never, never, ShuttleConfig | HttpClient.HttpClient> = Layer.unwrap(
  Effect.map(ShuttleConfig, ({ otlpUrl, clusterId }) =>
    Option.match(otlpUrl, {
      onNone: () => off,
      onSome: (url) =>
        OtlpExport.layer({ url, serviceName: "shuttle", instance: clusterId }).pipe(
          Layer.provide(OtlpExporter.layerFlusher)
        )
    })
  )
)
