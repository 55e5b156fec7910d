/** `ConfigMap`, `Secret` and `ServiceAccount`: what pods are given. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { equal, isObject, type JsonObject, without } from "../JsonValue.ts"
import { fill } from "./internal/fill.ts"
import { define } from "./ResourceType.ts"
import { ageColumn, column, nameColumn, size, text } from "./TableColumn.ts"

const immutability = (
  object: KubernetesObject,
  before: KubernetesObject | undefined
): ReadonlyArray<StatusCause> => {
  if (before?.["immutable"] !== true) return []
  const changed = ["data", "binaryData"].filter((key) => !equal(before[key], object[key]))
  return [
    ...(object["immutable"] === true
      ? []
      : [FieldRules.forbidden("immutable", "field is immutable when `immutable` is set")]),
    ...changed.map((key) => FieldRules.forbidden(key, "field is immutable when `immutable` is set"))
  ]
}

export const configMap = define({
  kind: "ConfigMap",
  shortNames: ["cm"],
  validate: (object, before) => [
    ...FieldRules.data({ data: object["data"], binaryData: object["binaryData"] }),
    ...immutability(object, before)
  ],
  columns: [nameColumn, column("Data", (object) => size(object["data"], object["binaryData"])), ageColumn]
})

/** `stringData` is write-only: it ends up in `data`. */
const secretDefaults = (object: JsonObject): JsonObject => {
  const { stringData } = object
  const typed = fill(without(object, "stringData"), { type: "Opaque" })
  if (!isObject(stringData)) return typed
  const added = Object.entries(stringData).map(([key, value]): [string, string] => [
    key,
    Buffer.from(String(value), "utf8").toString("base64")
  ])
  const data = isObject(typed["data"]) ? typed["data"] : {}
  return { ...typed, data: { ...data, ...Object.fromEntries(added) } }
}

export const secret = define({
  kind: "Secret",
  selectable: ["type"],
  defaults: secretDefaults,
  validate: (object, before) => [
    ...FieldRules.data({ data: object["data"] }),
    ...(before !== undefined && before["type"] !== object["type"]
      ? [FieldRules.invalid("type", object["type"], "field is immutable")]
      : []),
    ...immutability(object, before)
  ],
  columns: [
    nameColumn,
    column("Type", (object) => text(object["type"])),
    column("Data", (object) => size(object["data"])),
    ageColumn
  ]
})

export const serviceAccount = define({
  kind: "ServiceAccount",
  shortNames: ["sa"],
  columns: [
    nameColumn,
    column("Secrets", (object) => (Array.isArray(object["secrets"]) ? object["secrets"].length : 0)),
    ageColumn
  ]
})
