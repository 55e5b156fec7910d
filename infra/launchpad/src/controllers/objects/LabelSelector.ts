/** Label selectors as Kubernetes defines them (meta/v1 LabelSelector): all requirements must hold. */
import * as Schema from "effect/Schema"
import { defaulted, strings } from "./FieldSchemas.ts"

export const LabelSelector = Schema.Struct({
  matchLabels: defaulted(strings, {}),
  matchExpressions: defaulted(
    Schema.Array(
      Schema.Struct({
        key: Schema.String,
        operator: Schema.Literals(["In", "NotIn", "Exists", "DoesNotExist"]),
        values: defaulted(Schema.Array(Schema.String), [])
      })
    ),
    []
  )
})
export type LabelSelector = typeof LabelSelector.Type

/** An empty selector matches everything; `NotIn` matches objects without the label. */
export const matches = (selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(selector.matchLabels).every(([key, value]) => labels[key] === value) &&
  selector.matchExpressions.every(({ key, operator, values }) => {
    const value = labels[key]
    switch (operator) {
      case "In":
        return value !== undefined && values.includes(value)
      case "NotIn":
        return value === undefined || !values.includes(value)
      case "Exists":
        return value !== undefined
      case "DoesNotExist":
        return value === undefined
    }
  })
