/** An App as operators see it: which variables there are, never what they are. */
import { AppSettings, EnvironmentVariable } from "@starform/domain/model/AppSettings"
import * as Schema from "effect/Schema"
import { DesiredEntry } from "../../desired/DesiredEntry.ts"
import { view } from "../SecretFree.ts"
import { AppEvent, AppState, Live } from "./AppState.ts"

const { value: _, ...variable } = EnvironmentVariable.fields
const variables = Schema.Array(Schema.Struct(variable))
const settings = Schema.Struct({ ...AppSettings.fields, variables })
const entry = Schema.Struct({ ...DesiredEntry.fields, variables })

const { RolloutStarted, SettingsChanged, ...harmless } = AppEvent.cases

export const state = view(
  Schema.Struct({
    ...AppState.fields,
    settings,
    desired: Schema.NullOr(entry),
    live: Schema.NullOr(Schema.Struct({ ...Live.fields, entry }))
  })
)

export const event = view(
  Schema.Union([
    ...Object.values(harmless),
    Schema.Struct({ ...RolloutStarted.fields, entry }),
    Schema.Struct({ ...SettingsChanged.fields, settings })
  ])
)
