/** Traces of deploys where there is a receiver for them; anywhere else spans are not even made. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as OtlpExport from "@starform/domain/tracing/OtlpExport"
import * as Effect from "effect/Effect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as Layer from "effect/Layer"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as Option from "effect/Option"
import * as References from "effect/References"
import { StarbaseConfig } from "./StarbaseConfig.ts"

const off = Layer.succeed(References.TracerEnabled)(false)

/** A stranger's request could name any trace as its parent: what is traced begins behind the doors. */
const doors = Layer.succeed(HttpMiddleware.TracerDisabledWhen)(() => true)

/** Provide it beneath everything whose spans are to be seen. */
export const layer = Layer.unwrap(
  Effect.map(StarbaseConfig, ({ otlpUrl, runnerHost, runnerPort }) =>
    Option.match(otlpUrl, {
      onNone: () => off,
      onSome: (url) =>
        OtlpExport.layer({ url, serviceName: "starbase", instance: `${runnerHost}:${runnerPort}` }).pipe(
          Layer.provide([OtlpExporter.layerFlusher, NodeHttpClient.layerUndici])
        )
    })
  )
).pipe(Layer.merge(doors))
