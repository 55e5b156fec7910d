/** `ResourceQuota`: how much a namespace may hold. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { isObject } from "../JsonValue.ts"
import * as Quantity from "../Quantity.ts"
import { define } from "./ResourceType.ts"
import { ageColumn, at, column, nameColumn, text } from "./TableColumn.ts"

const amounts = (
  object: KubernetesObject,
  ...path: ReadonlyArray<string>
): ReadonlyArray<[string, unknown]> => {
  const value = at(object, ...path)
  return Object.entries(isObject(value) ? value : {}).sort(([a], [b]) => (a < b ? -1 : 1))
}

const validate = (object: KubernetesObject): ReadonlyArray<StatusCause> =>
  amounts(object, "spec", "hard").flatMap(([name, value]) => {
    const amount = Quantity.amountOf(value)
    return amount < 0n
      ? [FieldRules.invalid(`spec.hard[${name}]`, value, "must be greater than or equal to 0")]
      : []
  })

/** Of the counted: limits on one side, everything else on the other. */
const usage = (isLimit: boolean) => (object: KubernetesObject) =>
  amounts(object, "status", "hard")
    .filter(([name]) => name.startsWith("limits.") === isLimit)
    .map(([name, hard]) => `${name}: ${text(at(object, "status", "used", name), "0")}/${text(hard)}`)
    .join(", ")

export const resourceQuota = define({
  kind: "ResourceQuota",
  shortNames: ["quota"],
  subresources: ["status"],
  validate,
  columns: [nameColumn, column("Request", usage(false)), column("Limit", usage(true)), ageColumn]
})
