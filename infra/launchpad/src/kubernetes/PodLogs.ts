/** Where `pods/log` comes from: the API server asks, the runtime answers. */
import * as Context from "effect/Context"
import type * as Stream from "effect/Stream"
import type { ApiStatus } from "./ApiStatus.ts"

export interface PodLogKey {
  readonly namespace: string
  readonly name: string
  readonly container?: string
}

export interface PodLogOptions {
  readonly follow: boolean
  readonly previous: boolean
  readonly timestamps: boolean
  readonly tailLines?: number
  readonly sinceSeconds?: number
}

export class PodLogs extends Context.Service<
  PodLogs,
  {
    /** Ends at the end of what is written, or with the container when `follow`. */
    readonly stream: (key: PodLogKey, options: PodLogOptions) => Stream.Stream<Uint8Array, ApiStatus>
  }
>()("@starform/launchpad/kubernetes/PodLogs") {}
