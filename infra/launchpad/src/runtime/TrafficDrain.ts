/** The port through which the runtime takes a pod out of traffic before it ends its processes (INV-RUN-5). */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export interface PodEndpoint {
  readonly address: string
  readonly port: number
}

export class TrafficDrain extends Context.Service<
  TrafficDrain,
  {
    /** From the moment of the call no new request goes there; returns when those in flight have finished. The caller bounds the wait. */
    readonly withdraw: (endpoints: ReadonlyArray<PodEndpoint>) => Effect.Effect<void>
    /** The processes are gone: the addresses may be used by another pod. */
    readonly release: (endpoints: ReadonlyArray<PodEndpoint>) => Effect.Effect<void>
  }
>()("@starform/launchpad/runtime/TrafficDrain") {}

/** For a node without a gateway. */
export const layerNone = Layer.succeed(TrafficDrain, {
  withdraw: () => Effect.void,
  release: () => Effect.void
})
