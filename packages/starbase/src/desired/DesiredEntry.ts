/** One app of a cluster's desired state as it is stored and sent between entities: variables are ciphertext. */
import {
  DesiredApp,
  DesiredDatabase,
  DesiredProcess,
  DesiredSchedule
} from "@starform/domain/desired/DesiredState"
import { EnvironmentVariable } from "@starform/domain/model/AppSettings"
import * as Schema from "effect/Schema"

const { variables: _, processes: __, varGroups: ___, ...fields } = DesiredApp.to.fields

export const DesiredEntry = Schema.Struct({
  ...fields,
  processes: Schema.Array(Schema.toType(DesiredProcess)),
  variables: Schema.Array(EnvironmentVariable),
  schedule: Schema.optionalKey(Schema.toType(DesiredSchedule)),
  databases: Schema.optionalKey(Schema.Array(Schema.toType(DesiredDatabase)))
})
export type DesiredEntry = typeof DesiredEntry.Type
