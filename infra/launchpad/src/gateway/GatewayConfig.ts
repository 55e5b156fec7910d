/** Settings of the gateway; every one has a default. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"

export interface GatewaySettings {
  readonly host: string
  /** 0: the system chooses; the service tells which. */
  readonly port: number
  /** How long a request waits for an endpoint while a Service has some but none is ready. */
  readonly holdMax: Duration.Duration
  /** Between two looks for a waiting request, beside every change of endpoints. */
  readonly holdPoll: Duration.Duration
  /** Requests that wait at the same time; the next one is answered 503 at once. */
  readonly heldRequestsMax: number
  /** Further endpoints tried after a connection broke before an answer (idempotent requests without body). */
  readonly brokenRetriesMax: number
  /** From the first byte of a request to the end of its headers. */
  readonly headersTimeout: Duration.Duration
  /** Idle time of a client's connection. */
  readonly clientIdleMax: Duration.Duration
  /** Idle connections kept per endpoint. */
  readonly idleConnectionsMax: number
  /** How long requests in flight may take when the gateway itself ends. */
  readonly shutdownGrace: Duration.Duration
}

export class GatewayConfig extends Context.Service<GatewayConfig, GatewaySettings>()(
  "@starform/launchpad/gateway/GatewayConfig"
) {}

export const defaults: GatewaySettings = {
  host: "127.0.0.1",
  port: 0,
  holdMax: Duration.seconds(2),
  holdPoll: Duration.millis(50),
  heldRequestsMax: 1024,
  brokenRetriesMax: 1,
  headersTimeout: Duration.seconds(60),
  clientIdleMax: Duration.seconds(75),
  idleConnectionsMax: 64,
  shutdownGrace: Duration.seconds(5)
}

export const layer = (settings: Partial<GatewaySettings> = {}): Layer.Layer<GatewayConfig> =>
  Layer.succeed(GatewayConfig, { ...defaults, ...settings })
