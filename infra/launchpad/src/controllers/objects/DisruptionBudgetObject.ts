/** policy/v1 PodDisruptionBudget as its controller reads it. */
import * as Schema from "effect/Schema"
import { defaulted, intOrString } from "./FieldSchemas.ts"
import { LabelSelector } from "./LabelSelector.ts"
import { ObjectCondition } from "./ObjectCondition.ts"
import { ObjectMetadata } from "./ObjectMetadata.ts"

export const DisruptionBudgetObject = Schema.Struct({
  metadata: ObjectMetadata,
  spec: Schema.Struct({
    minAvailable: Schema.optionalKey(intOrString),
    maxUnavailable: Schema.optionalKey(intOrString),
    selector: Schema.optionalKey(LabelSelector)
  }),
  status: defaulted(Schema.Struct({ conditions: defaulted(Schema.Array(ObjectCondition), []) }), {})
})
export type DisruptionBudgetObject = typeof DisruptionBudgetObject.Type
