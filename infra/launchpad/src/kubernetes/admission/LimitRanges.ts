/** What LimitRanges give a new pod's containers, and what they refuse. Pure. */
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import { objectsAt, text } from "../kinds/TableColumn.ts"
import * as Quantity from "../Quantity.ts"
import * as PodResources from "./PodResources.ts"

const annotation = "kubernetes.io/limit-ranger"

type Ranges = ReadonlyArray<KubernetesObject>

const itemsOf = (ranges: Ranges, wanted: string): ReadonlyArray<JsonObject> =>
  ranges.flatMap((range) => objectsAt(range, "spec", "limits").filter(({ type }) => type === wanted))

const amounts = (item: JsonObject, key: string): JsonObject => {
  const value = item[key]
  return isObject(value) ? value : {}
}

interface Filled {
  readonly container: JsonObject
  /** For the annotation. */
  readonly told: ReadonlyArray<string>
}

const filled = (container: JsonObject, items: ReadonlyArray<JsonObject>, title: string): Filled => {
  const told: Array<string> = []
  const part = (name: PodResources.Part, key: string, word: string) => {
    const present = PodResources.partOf(container, name)
    const added = Object.assign({}, ...items.map((item) => amounts(item, key))) as JsonObject
    const missing = Object.keys(added)
      .filter((resource) => present[resource] === undefined)
      .sort()
    if (missing.length > 0)
      told.push(`${missing.join(", ")} ${word} for ${title} ${PodResources.nameOf(container)}`)
    const all = { ...added, ...present }
    return Object.keys(all).length === 0 ? {} : { [name]: all }
  }
  const requests = part("requests", "defaultRequest", "request")
  const limits = part("limits", "default", "limit")
  const resources = isObject(container["resources"]) ? container["resources"] : {}
  return { container: { ...container, resources: { ...resources, ...limits, ...requests } }, told }
}

/** The pod with what it left unsaid. */
export const withDefaults = (pod: JsonObject, ranges: Ranges): JsonObject => {
  const items = itemsOf(ranges, "Container")
  const spec = pod["spec"]
  if (items.length === 0 || !isObject(spec)) return pod
  const init = PodResources.initContainersOf(spec).map((container) =>
    filled(container, items, "init container")
  )
  const plain = PodResources.containersOf(spec).map((container) => filled(container, items, "container"))
  const told = [...plain, ...init].flatMap((one) => one.told)
  if (told.length === 0) return pod
  const metadata = isObject(pod["metadata"]) ? pod["metadata"] : {}
  const annotations = isObject(metadata["annotations"]) ? metadata["annotations"] : {}
  const sentence = `LimitRanger plugin set: ${told.join("; ")}`
  return {
    ...pod,
    metadata: { ...metadata, annotations: { ...annotations, [annotation]: sentence } },
    spec: {
      ...spec,
      containers: plain.map(({ container }) => container),
      ...(init.length === 0 ? {} : { initContainers: init.map(({ container }) => container) })
    }
  }
}

interface Asked {
  readonly type: "Container" | "Pod"
  readonly requests: JsonObject
  readonly limits: JsonObject
}

const isMore = (a: unknown, b: unknown): boolean => Quantity.amountOf(a) > Quantity.amountOf(b)

const above = (name: string, most: unknown, { type, limits, requests }: Asked): string | undefined => {
  const rule = `maximum ${name} usage per ${type} is ${text(most)}`
  if (limits[name] === undefined) return `${rule}.  No limit is specified`
  if (isMore(limits[name], most)) return `${rule}, but limit is ${text(limits[name])}`
  return isMore(requests[name], most) ? `${rule}, but request is ${text(requests[name])}` : undefined
}

const below = (name: string, least: unknown, { type, limits, requests }: Asked): string | undefined => {
  const rule = `minimum ${name} usage per ${type} is ${text(least)}`
  if (requests[name] === undefined) return `${rule}.  No request is specified`
  if (isMore(least, requests[name])) return `${rule}, but request is ${text(requests[name])}`
  const limit = limits[name]
  return limit !== undefined && isMore(least, limit) ? `${rule}, but limit is ${text(limit)}` : undefined
}

const complaintsOf = (item: JsonObject, asked: Asked): ReadonlyArray<string> =>
  [
    ...Object.entries(amounts(item, "min")).map(([name, least]) => below(name, least, asked)),
    ...Object.entries(amounts(item, "max")).map(([name, most]) => above(name, most, asked))
  ].filter((complaint) => complaint !== undefined)

const written = (given: PodResources.Amounts): JsonObject =>
  Object.fromEntries(
    Object.entries(given).map(([name, amount]) => [
      name,
      Quantity.format(amount, Quantity.isBinaryName(name))
    ])
  )

/** Why a pod is refused, if it is. */
export const complaints = (pod: JsonObject, ranges: Ranges): ReadonlyArray<string> => {
  const { spec } = pod
  const containers = [...PodResources.containersOf(spec), ...PodResources.initContainersOf(spec)].map(
    (container): Asked => ({
      type: "Container",
      requests: PodResources.partOf(container, "requests"),
      limits: PodResources.partOf(container, "limits")
    })
  )
  const whole: Asked = {
    type: "Pod",
    requests: written(PodResources.total(spec, "requests")),
    limits: written(PodResources.total(spec, "limits"))
  }
  return [
    ...itemsOf(ranges, "Container").flatMap((item) =>
      containers.flatMap((asked) => complaintsOf(item, asked))
    ),
    ...itemsOf(ranges, "Pod").flatMap((item) => complaintsOf(item, whole))
  ]
}
