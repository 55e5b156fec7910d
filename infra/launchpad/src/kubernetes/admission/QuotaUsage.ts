/** What objects count against a ResourceQuota. Pure. */
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import type { ResourceType } from "../kinds/ResourceType.ts"
import { at } from "../kinds/TableColumn.ts"
import * as Quantity from "../Quantity.ts"
import * as PodResources from "./PodResources.ts"

const one = Quantity.amountOf(1)

/** Kinds that are counted under their plain name; all are under `count/…`. */
const plainlyCounted = new Set(["configmaps", "secrets", "services", "pods", "resourcequotas"])

/** Names under which pods are measured. */
export const measured = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"]

export const isOver = (pod: KubernetesObject): boolean => {
  const phase = at(pod, "status", "phase")
  return phase === "Succeeded" || phase === "Failed"
}

const measure = (spec: unknown): PodResources.Amounts => {
  const requests = PodResources.total(spec, "requests")
  const limits = PodResources.total(spec, "limits")
  return Object.fromEntries([
    ...Object.entries(requests).flatMap(([name, amount]) => [
      [name, amount],
      [`requests.${name}`, amount]
    ]),
    ...Object.entries(limits).map(([name, amount]) => [`limits.${name}`, amount])
  ]) as PodResources.Amounts
}

/** What one object counts. A pod that is over is only counted as an object. */
export const of = (type: ResourceType, object: KubernetesObject): PodResources.Amounts => {
  const counted = { [`count/${type.group === "" ? type.plural : `${type.plural}.${type.group}`}`]: one }
  if (type.kind === "Pod") {
    return isOver(object) ? counted : { ...counted, pods: one, ...measure(object["spec"]) }
  }
  return plainlyCounted.has(type.resource) ? { ...counted, [type.resource]: one } : counted
}

/** Whether what a kind's objects count may stand under this name. */
export const concerns = (type: ResourceType, name: string): boolean =>
  Object.hasOwn(of(type, { apiVersion: "", kind: type.kind, metadata: blankMetadata }), name) ||
  (type.kind === "Pod" && measured.includes(name))

const blankMetadata = { name: "", uid: "", resourceVersion: "", creationTimestamp: "" }

const field = (quota: KubernetesObject, part: string, key: string): JsonObject => {
  const value = at(quota, part, key)
  return isObject(value) ? value : {}
}

export const hardOf = (quota: KubernetesObject): JsonObject => field(quota, "spec", "hard")

export const usedOf = (quota: KubernetesObject): JsonObject => field(quota, "status", "used")

export const written = (name: string, amount: bigint): string =>
  Quantity.format(amount, Quantity.isBinaryName(name))

/** The status of a quota over everything that its namespace holds. */
export const statusOf = (
  quota: KubernetesObject,
  contents: ReadonlyArray<{ readonly type: ResourceType; readonly object: KubernetesObject }>
): JsonObject => {
  const hard = hardOf(quota)
  const used = contents.map(({ type, object }) => of(type, object)).reduce(PodResources.sum, {})
  return {
    hard,
    used: Object.fromEntries(Object.keys(hard).map((name) => [name, written(name, used[name] ?? 0n)]))
  }
}
