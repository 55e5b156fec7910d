/** One app of a cluster's desired state as it is stored and sent between entities: variables are ciphertext. */
import { DesiredApp, DesiredProcess } from "@starform/domain/desired/DesiredState"
import { EnvironmentVariable } from "@starform/domain/model/AppSettings"
import * as Schema from "effect/Schema"

const { variables: _, processes: __, ...fields } = DesiredApp.to.fields

export const DesiredEntry = Schema.Struct({
  ...fields,
  processes: Schema.Array(Schema.toType(DesiredProcess)),
  variables: Schema.Array(EnvironmentVariable)
})
export type DesiredEntry = typeof DesiredEntry.Type
