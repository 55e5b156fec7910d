/**
 * Nova sizes: what one pod of a size requests. Cost is computed from requests, never from the name.
 *
 * @source names from the reference specification §1 and §17; the numbers are our choice (decision 0009)
 */
export interface PodSize {
  readonly cpuMillicores: number
  readonly memoryMebibytes: number
}

const sizes: ReadonlyMap<string, PodSize> = new Map([
  ["mininova", { cpuMillicores: 100, memoryMebibytes: 256 }],
  ["nova", { cpuMillicores: 250, memoryMebibytes: 512 }],
  ["supernova", { cpuMillicores: 1000, memoryMebibytes: 2048 }],
  ["ultranova", { cpuMillicores: 4000, memoryMebibytes: 8192 }]
])

const smallest: PodSize = { cpuMillicores: 100, memoryMebibytes: 256 }

/** Names of all sizes, smallest first. */
export const tiers: ReadonlyArray<string> = [...sizes.keys()]

/** Size of a tier; the smallest for a name that is not in the table, so that a stored name never blocks a deploy. */
export const sizeOf = (tier: string): PodSize => sizes.get(tier) ?? smallest
