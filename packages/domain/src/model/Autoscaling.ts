/** Between how many copies a process scales by itself, and on what. */
import * as Schema from "effect/Schema"
import { ProcessName } from "../ids/Slug.ts"

const copies = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))

/** Of what a pod requests, over all copies; 1–100 per cent. */
const percent = Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 })))

export const Autoscaling = Schema.Struct({
  minReplicas: copies,
  maxReplicas: copies,
  cpuPercent: percent,
  memoryPercent: percent
})
export type Autoscaling = typeof Autoscaling.Type

export const ProcessAutoscaling = Schema.Struct({ process: ProcessName, ...Autoscaling.fields })
export type ProcessAutoscaling = typeof ProcessAutoscaling.Type

/** Why these numbers cannot be; `undefined` when they can. */
export const contradiction = ({
  cpuPercent,
  maxReplicas,
  memoryPercent,
  minReplicas
}: Autoscaling): string | undefined => {
  if (minReplicas > maxReplicas) return "the fewest copies are more than the most"
  return cpuPercent === null && memoryPercent === null ? "it needs a share of CPU or memory" : undefined
}
