/** What running pods use, as `metrics.k8s.io` serves it and autoscalers read it: the runtime measures, the others ask. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

export interface ContainerUse {
  readonly name: string
  /** Billionths of a processor, on average over the window. */
  readonly cpuNanos: number
  readonly memoryBytes: number
}

export interface PodUse {
  readonly namespace: string
  readonly name: string
  /** When the window ended, in milliseconds since the epoch. */
  readonly atMs: number
  readonly windowMs: number
  readonly containers: ReadonlyArray<ContainerUse>
}

export interface PodMetricsShape {
  /** Whether anybody measures; without, `metrics.k8s.io` is not there, as in a cluster without metrics-server. */
  readonly isServed: boolean
  /** Pods of which every running container was measured at least once. */
  readonly all: Effect.Effect<ReadonlyArray<PodUse>>
}

export const PodMetrics = Context.Reference<PodMetricsShape>("@starform/launchpad/kubernetes/PodMetrics", {
  defaultValue: () => ({ isServed: false, all: Effect.succeed([]) })
})
