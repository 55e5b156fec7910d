/** One entry of `status.conditions`, and how it changes. */
import * as Schema from "effect/Schema"
import { defaulted } from "./FieldSchemas.ts"

export const ObjectCondition = Schema.Struct({
  type: Schema.String,
  status: Schema.String,
  reason: defaulted(Schema.String, ""),
  message: defaulted(Schema.String, ""),
  lastUpdateTime: Schema.optionalKey(Schema.String),
  lastTransitionTime: Schema.optionalKey(Schema.String)
})
export type ObjectCondition = typeof ObjectCondition.Type

export const conditionOf = (
  conditions: ReadonlyArray<ObjectCondition>,
  type: string
): ObjectCondition | undefined => conditions.find((condition) => condition.type === type)
