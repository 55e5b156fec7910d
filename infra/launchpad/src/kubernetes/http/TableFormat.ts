/** Lists as tables, which is what `kubectl get` asks for. Pure. */
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import type { ResourceType } from "../ResourceTypes.ts"

type Cell = string | number

interface Column {
  readonly name: string
  readonly type: "string" | "integer" | "date"
  readonly priority?: number
  readonly cell: (object: KubernetesObject, nowMs: number) => Cell
}

const at = (object: KubernetesObject, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), object)

const text = (value: unknown): string =>
  value === undefined || value === null || value === "" ? "<none>" : String(value)

const count = (value: unknown): number => (typeof value === "number" ? value : 0)

/** As kubectl words a duration: the two largest units that say something. */
export const age = (timestamp: string | undefined, nowMs: number): string => {
  if (timestamp === undefined) return "<unknown>"
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(timestamp)) / 1000))
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  return days < 8 && hours % 24 !== 0 ? `${days}d${hours % 24}h` : `${days}d`
}

const name: Column = { name: "Name", type: "string", cell: (object) => object.metadata.name }
const aged: Column = {
  name: "Age",
  type: "string",
  cell: (object, nowMs) => age(object.metadata.creationTimestamp, nowMs)
}

const column = (title: string, cell: Column["cell"], type: Column["type"] = "string"): Column => ({
  name: title,
  type,
  cell
})

const containerStatuses = (pod: KubernetesObject): ReadonlyArray<JsonObject> => {
  const statuses = at(pod, "status", "containerStatuses")
  return Array.isArray(statuses) ? statuses.filter(isObject) : []
}

const podStatus = (pod: KubernetesObject): string => {
  if (pod.metadata.deletionTimestamp !== undefined) return "Terminating"
  for (const status of containerStatuses(pod)) {
    const state = isObject(status["state"]) ? status["state"] : {}
    const waiting = isObject(state["waiting"]) ? state["waiting"]["reason"] : undefined
    if (typeof waiting === "string" && waiting !== "") return waiting
    const terminated = isObject(state["terminated"]) ? state["terminated"]["reason"] : undefined
    if (typeof terminated === "string" && terminated !== "") return terminated
  }
  return text(at(pod, "status", "reason") ?? at(pod, "status", "phase"))
}

const columns = (kind: string): ReadonlyArray<Column> => {
  switch (kind) {
    case "Pod":
      return [
        name,
        column("Ready", (pod) => {
          const statuses = containerStatuses(pod)
          const containers = at(pod, "spec", "containers")
          const total = Array.isArray(containers) ? containers.length : statuses.length
          return `${statuses.filter((status) => status["ready"] === true).length}/${total}`
        }),
        column("Status", podStatus),
        column("Restarts", (pod) =>
          containerStatuses(pod).reduce((sum, status) => sum + count(status["restartCount"]), 0)
        ),
        aged,
        { ...column("IP", (pod) => text(at(pod, "status", "podIP"))), priority: 1 },
        { ...column("Node", (pod) => text(at(pod, "spec", "nodeName"))), priority: 1 }
      ]
    case "Deployment":
      return [
        name,
        column(
          "Ready",
          (item) => `${count(at(item, "status", "readyReplicas"))}/${count(at(item, "spec", "replicas"))}`
        ),
        column("Up-to-date", (item) => count(at(item, "status", "updatedReplicas")), "integer"),
        column("Available", (item) => count(at(item, "status", "availableReplicas")), "integer"),
        aged
      ]
    case "ReplicaSet":
      return [
        name,
        column("Desired", (item) => count(at(item, "spec", "replicas")), "integer"),
        column("Current", (item) => count(at(item, "status", "replicas")), "integer"),
        column("Ready", (item) => count(at(item, "status", "readyReplicas")), "integer"),
        aged
      ]
    case "Namespace":
      return [name, column("Status", (item) => text(at(item, "status", "phase"))), aged]
    case "Service":
      return [
        name,
        column("Type", (item) => text(at(item, "spec", "type"))),
        column("Cluster-IP", (item) => text(at(item, "spec", "clusterIP"))),
        column("Port(s)", (item) => {
          const ports = at(item, "spec", "ports")
          return Array.isArray(ports)
            ? ports.map((port: JsonObject) => `${port["port"]}/${port["protocol"]}`).join(",")
            : "<none>"
        }),
        aged
      ]
    case "Secret":
      return [
        name,
        column("Type", (item) => text(item["type"])),
        column("Data", (item) => Object.keys(isObject(item["data"]) ? item["data"] : {}).length, "integer"),
        aged
      ]
    case "ConfigMap":
      return [
        name,
        column("Data", (item) => Object.keys(isObject(item["data"]) ? item["data"] : {}).length, "integer"),
        aged
      ]
    case "HTTPRoute":
      return [name, column("Hostnames", (item) => JSON.stringify(at(item, "spec", "hostnames") ?? [])), aged]
    case "Event":
      return [
        column("Last Seen", (item, nowMs) => age(at(item, "lastTimestamp") as string | undefined, nowMs)),
        column("Type", (item) => text(item["type"])),
        column("Reason", (item) => text(item["reason"])),
        column(
          "Object",
          (item) =>
            `${text(at(item, "involvedObject", "kind")).toLowerCase()}/${text(at(item, "involvedObject", "name"))}`
        ),
        column("Message", (item) => text(item["message"]))
      ]
    default:
      return [name, aged]
  }
}

export interface TableOptions {
  readonly resourceVersion: string
  readonly nowMs: number
  /** Rows after the first of a watch come without the columns. */
  readonly withColumns: boolean
}

export const table = (
  type: ResourceType,
  objects: ReadonlyArray<KubernetesObject>,
  options: TableOptions
) => {
  const shown = columns(type.kind)
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: { resourceVersion: options.resourceVersion },
    columnDefinitions: options.withColumns
      ? shown.map(({ name: title, type: kind, priority }) => ({
          name: title,
          type: kind,
          format: title === "Name" ? "name" : "",
          description: "",
          priority: priority ?? 0
        }))
      : null,
    rows: objects.map((object) => ({
      cells: shown.map(({ cell }) => cell(object, options.nowMs)),
      object: partial(object)
    }))
  }
}

/** Metadata alone. */
export const partial = (object: KubernetesObject) => ({
  kind: "PartialObjectMetadata",
  apiVersion: "meta.k8s.io/v1",
  metadata: object.metadata
})
