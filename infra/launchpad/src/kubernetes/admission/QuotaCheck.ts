/** Whether a new object fits into its namespace's quotas, and what they hold with it. Pure. */
import * as Result from "effect/Result"
import type { KubernetesObject } from "../ClusterObjects.ts"
import type { ResourceType } from "../kinds/ResourceType.ts"
import { text } from "../kinds/TableColumn.ts"
import * as Quantity from "../Quantity.ts"
import * as PodResources from "./PodResources.ts"
import * as QuotaUsage from "./QuotaUsage.ts"

/** Of what a quota measures, what containers of the pod leave unsaid. */
const unsaid = (pod: KubernetesObject, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const containers = [
    ...PodResources.containersOf(pod["spec"]),
    ...PodResources.initContainersOf(pod["spec"])
  ]
  return names
    .filter((name) => QuotaUsage.measured.includes(name))
    .sort()
    .flatMap((name) => {
      const part = name.startsWith("limits.") ? "limits" : "requests"
      const resource = name.replace(/^(limits|requests)\./, "")
      const silent = containers
        .filter((container) => PodResources.partOf(container, part)[resource] === undefined)
        .map(PodResources.nameOf)
      return silent.length === 0 ? [] : [`${name} for: ${silent.join(",")}`]
    })
}

const listed = (names: ReadonlyArray<string>, value: (name: string) => string): string =>
  names.map((name) => `${name}=${value(name)}`).join(",")

/** The quota with the object in it, or why it does not fit. `undefined` when the quota does not count such objects. */
export const charge = (
  type: ResourceType,
  object: KubernetesObject,
  quota: KubernetesObject
): Result.Result<KubernetesObject | undefined, string> => {
  const { name } = quota.metadata
  const hard = QuotaUsage.hardOf(quota)
  const used = QuotaUsage.usedOf(quota)
  const counted = Object.keys(hard)
    .filter((key) => QuotaUsage.concerns(type, key))
    .sort()
  if (counted.length === 0) return Result.succeed(undefined)
  const missing = type.kind === "Pod" ? unsaid(object, counted) : []
  if (missing.length > 0) return Result.fail(`failed quota: ${name}: must specify ${missing.join("; ")}`)
  if (counted.some((key) => used[key] === undefined)) {
    return Result.fail(`status unknown for quota: ${name}, resources: ${counted.join(",")}`)
  }
  const asked = QuotaUsage.of(type, object)
  const after = (key: string): bigint => Quantity.amountOf(used[key]) + (asked[key] ?? 0n)
  const exceeded = counted.filter(
    (key) => (asked[key] ?? 0n) > 0n && after(key) > Quantity.amountOf(hard[key])
  )
  if (exceeded.length > 0) {
    const requested = listed(exceeded, (key) => QuotaUsage.written(key, asked[key] ?? 0n))
    const present = listed(exceeded, (key) => text(used[key]))
    const limited = listed(exceeded, (key) => text(hard[key]))
    return Result.fail(
      `exceeded quota: ${name}, requested: ${requested}, used: ${present}, limited: ${limited}`
    )
  }
  const status = {
    hard,
    used: { ...used, ...Object.fromEntries(counted.map((key) => [key, QuotaUsage.written(key, after(key))])) }
  }
  return Result.succeed({ ...quota, status })
}
