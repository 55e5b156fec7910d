/** `PodMetrics` from the runtime's containers. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { PodMetrics, type PodUse } from "../kubernetes/PodMetrics.ts"
import { type ContainerKey, ContainerUsage, type Measured } from "./ContainerUsage.ts"

const podUse = (containers: ReadonlyArray<Measured>): ReadonlyArray<PodUse> => {
  const [first] = containers
  if (first === undefined) return []
  return [
    {
      namespace: first.namespace,
      name: first.pod,
      atMs: Math.min(...containers.map(({ atMs }) => atMs)),
      windowMs: first.windowMs,
      containers: containers.map(({ container, cpuNanos, memoryBytes }) => ({
        name: container,
        cpuNanos,
        memoryBytes
      }))
    }
  ]
}

const isMeasured = (one: Measured | undefined): one is Measured => one !== undefined

const podKey = ({ namespace, pod }: ContainerKey): string => `${namespace}/${pod}`

/** Needs `ContainerUsage`. */
export const layerNoDeps = Layer.effect(
  PodMetrics,
  Effect.map(ContainerUsage, (usage) => ({
    isServed: true,
    all: Effect.map(usage.latest, (all) =>
      [...Map.groupBy(all, podKey).values()].flatMap((containers) => {
        const measured = containers.map((one) => one.measured)
        return measured.every(isMeasured) ? podUse(measured) : []
      })
    )
  }))
)
