/**
 * What of the caller's environment the platform takes over: nothing but where programs are, how the network is reached, and who
 * receives traces.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"

/** Certificates, proxies and the npm registry's address: what a build needs to install packages as the caller could. */
const forBuilds = [
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "npm_config_registry"
]

export interface HostEnvironment {
  readonly path: string
  /** Seen by tenants' builds. */
  readonly stepEnvironment: Readonly<Record<string, string>>
  /** Base URL of an OpenTelemetry receiver, by OpenTelemetry's own name for it; empty for no traces. */
  readonly otlpUrl: string
}

export const read = Effect.gen(function* () {
  const path = yield* Config.String("PATH").pipe(Config.withDefault("/usr/local/bin:/usr/bin:/bin"))
  const stepEnvironment: Record<string, string> = {}
  for (const key of forBuilds) {
    const value = yield* Config.String(key).pipe(Config.withDefault(""))
    if (value !== "") stepEnvironment[key] = value
  }
  const otlpUrl = yield* Config.String("OTEL_EXPORTER_OTLP_ENDPOINT").pipe(Config.withDefault(""))
  return { path, stepEnvironment, otlpUrl } satisfies HostEnvironment
})
