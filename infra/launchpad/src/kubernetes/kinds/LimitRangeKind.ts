/** `LimitRange`: what a container gets when it does not say, and the most and the least it may ask for. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject, type JsonObject } from "../JsonValue.ts"
import * as Quantity from "../Quantity.ts"
import { fill, mapField, mapItems } from "./internal/fill.ts"
import { define } from "./ResourceType.ts"
import { createdColumn, nameColumn, objectsAt, text } from "./TableColumn.ts"

const part = (limit: JsonObject, key: string): JsonObject => {
  const value = limit[key]
  return isObject(value) ? value : {}
}

/** A limit is also the default; a default is also what is requested, or else the least is. */
const itemDefaults = (limit: JsonObject): JsonObject => {
  if (limit["type"] !== "Container") return limit
  const limits = fill(part(limit, "default"), part(limit, "max"))
  const requests = fill(fill(part(limit, "defaultRequest"), limits), part(limit, "min"))
  return {
    ...limit,
    ...(Object.keys(limits).length === 0 ? {} : { default: limits }),
    ...(Object.keys(requests).length === 0 ? {} : { defaultRequest: requests })
  }
}

/** Pairs of which the first must not be greater. */
const order = [
  ["min", "max"],
  ["min", "defaultRequest"],
  ["defaultRequest", "max"],
  ["min", "default"],
  ["default", "max"],
  ["defaultRequest", "default"]
] as const

const words = { min: "min", max: "max", default: "default", defaultRequest: "default request" } as const

const itemCauses = (limit: JsonObject, field: string): ReadonlyArray<StatusCause> => [
  ...(text(limit["type"], "") === "" ? [FieldRules.required(`${field}.type`)] : []),
  ...order.flatMap(([low, high]) =>
    Object.entries(part(limit, low)).flatMap(([name, value]) => {
      const bound = part(limit, high)[name]
      return bound === undefined || Quantity.amountOf(value) <= Quantity.amountOf(bound)
        ? []
        : [
            FieldRules.invalid(
              `${field}.${low}[${name}]`,
              value,
              `${words[low]} value ${text(value)} is greater than ${words[high]} value ${text(bound)}`
            )
          ]
    })
  )
]

const validate = (object: KubernetesObject): ReadonlyArray<StatusCause> =>
  objectsAt(object, "spec", "limits").flatMap((limit, index) => itemCauses(limit, `spec.limits[${index}]`))

export const limitRange = define({
  kind: "LimitRange",
  shortNames: ["limits"],
  defaults: (object) => mapField(object, "spec", (spec) => mapItems(spec, "limits", itemDefaults)),
  validate,
  columns: [nameColumn, createdColumn]
})
