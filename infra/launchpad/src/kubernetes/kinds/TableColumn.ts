/** Columns of `kubectl get`. Pure. */
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"

export type Cell = string | number

export interface TableColumn {
  readonly name: string
  readonly type: "string" | "integer" | "date"
  readonly format: "" | "name"
  /** 1 is shown by `-o wide` only. */
  readonly priority: 0 | 1
  readonly cell: (object: KubernetesObject, nowMs: number) => Cell
}

/** The value at a path of field names. */
export const at = (object: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), object)

export const objectsAt = (object: unknown, ...path: ReadonlyArray<string>): ReadonlyArray<JsonObject> => {
  const value = at(object, ...path)
  return Array.isArray(value) ? value.filter(isObject) : []
}

export const text = (value: unknown, absent = "<none>"): string =>
  value === undefined || value === null || value === "" ? absent : String(value)

export const count = (value: unknown): number => (typeof value === "number" ? value : 0)

/** As kubectl words a duration: the two largest units that say something. */
export const duration = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (days < 8) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  return years < 8 && days % 365 !== 0 ? `${years}y${days % 365}d` : `${years}y`
}

/** How long ago a time was; `<unknown>` without one. */
export const age = (timestamp: unknown, nowMs: number): string =>
  typeof timestamp === "string" ? duration(nowMs - Date.parse(timestamp)) : "<unknown>"

export const column = (
  name: string,
  cell: TableColumn["cell"],
  options: { readonly type?: TableColumn["type"]; readonly priority?: 0 | 1 } = {}
): TableColumn => ({
  name,
  type: options.type ?? "string",
  format: "",
  priority: options.priority ?? 0,
  cell
})

export const wide = (name: string, cell: TableColumn["cell"]): TableColumn =>
  column(name, cell, { priority: 1 })

export const nameColumn: TableColumn = {
  name: "Name",
  type: "string",
  format: "name",
  priority: 0,
  cell: (object) => object.metadata.name
}

export const ageColumn: TableColumn = column("Age", (object, nowMs) =>
  age(object.metadata.creationTimestamp, nowMs)
)

/** Of a custom kind, whose age is a date. */
export const dateColumn: TableColumn = column(
  "Age",
  (object, nowMs) => age(object.metadata.creationTimestamp, nowMs),
  { type: "date" }
)

/** When it was made, of a kind whose table does not count the time. */
export const createdColumn: TableColumn = column("Created At", (object) => object.metadata.creationTimestamp)

/** Number of keys in `data` and the like. */
export const size = (...values: ReadonlyArray<unknown>): number =>
  values.reduce<number>((sum, value) => sum + (isObject(value) ? Object.keys(value).length : 0), 0)

/** `matchLabels` and `matchExpressions` in one line. */
export const selectorText = (selector: unknown): string => {
  const labels = Object.entries((at(selector, "matchLabels") as JsonObject | undefined) ?? {})
  const expressions = objectsAt(selector, "matchExpressions").map((expression) => {
    const key = text(expression["key"])
    const values = Array.isArray(expression["values"]) ? expression["values"].join(",") : ""
    if (expression["operator"] === "Exists") return key
    if (expression["operator"] === "DoesNotExist") return `!${key}`
    return `${key} ${text(expression["operator"]).toLowerCase()} (${values})`
  })
  return [...labels.map(([key, value]) => `${key}=${String(value)}`), ...expressions].join(",")
}
