/**
 * What all pods of one project may take together on its cluster, and one container when it says nothing.
 *
 * @source the kinds of limits from the reference specification §6.4; the numbers are our choice (decision 0019)
 */
import { sizeOf } from "./Tier.ts"

/** Requests and limits alike: every container of ours has both, and they are equal. */
export const projectLimits = {
  pods: 200,
  cpuMillicores: 50_000,
  memoryMebibytes: 100 * 1024,
  /** Routes go through the cluster's one Gateway; a Service with an address of its own would go around it. */
  loadBalancerServices: 0,
  nodePortServices: 0
} as const

/** What a container gets that names no size of its own; ours always do. */
export const containerDefault = sizeOf("mininova")

export const containerMax = sizeOf("ultranova")
