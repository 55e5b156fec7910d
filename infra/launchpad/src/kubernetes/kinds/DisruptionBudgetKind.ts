/** `PodDisruptionBudget`: how many pods must stay when pods are taken away on purpose. */
import * as FieldRules from "../admission/FieldRules.ts"
import type { StatusCause } from "../ApiStatus.ts"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { define } from "./ResourceType.ts"
import { ageColumn, at, column, count, nameColumn, text } from "./TableColumn.ts"

const percentRule =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%'"

const amountCauses = (field: string, value: unknown): ReadonlyArray<StatusCause> => {
  if (typeof value !== "string") return FieldRules.notNegative(field, value)
  if (!/^[0-9]+%$/.test(value)) {
    return [FieldRules.invalid(field, value, `${percentRule}, regex used for validation is '[0-9]+%')`)]
  }
  return Number(value.slice(0, -1)) > 100
    ? [FieldRules.invalid(field, value, "must not be greater than 100%")]
    : []
}

const validate = (object: KubernetesObject): ReadonlyArray<StatusCause> => {
  const { spec } = object
  const [least, most] = [at(spec, "minAvailable"), at(spec, "maxUnavailable")]
  return [
    ...(least !== undefined && most !== undefined
      ? [FieldRules.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")]
      : []),
    ...amountCauses("spec.minAvailable", least),
    ...amountCauses("spec.maxUnavailable", most)
  ]
}

export const podDisruptionBudget = define({
  kind: "PodDisruptionBudget",
  group: "policy",
  shortNames: ["pdb"],
  subresources: ["status"],
  generation: "spec",
  validate,
  columns: [
    nameColumn,
    column("Min Available", (object) => text(at(object, "spec", "minAvailable"), "N/A")),
    column("Max Unavailable", (object) => text(at(object, "spec", "maxUnavailable"), "N/A")),
    column("Allowed Disruptions", (object) => count(at(object, "status", "disruptionsAllowed")), {
      type: "integer"
    }),
    ageColumn
  ]
})
