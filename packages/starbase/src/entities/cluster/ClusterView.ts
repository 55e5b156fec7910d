/** A Cluster as operators see it: no credential of its agent, and which variables its apps have, never what they are. */
import { EnvironmentVariable } from "@starform/domain/model/AppSettings"
import * as Schema from "effect/Schema"
import { DesiredEntry } from "../../desired/DesiredEntry.ts"
import { view } from "../SecretFree.ts"
import { ClusterEvent, ClusterState, NumberedEntry, Registration } from "./ClusterState.ts"

const { value: _, ...variable } = EnvironmentVariable.fields
const entry = Schema.Struct({ ...DesiredEntry.fields, variables: Schema.Array(Schema.Struct(variable)) })
const { agentTokenHash: __, ...registered } = Registration.fields
const registration = Schema.Struct(registered)

const { ClusterRegistered, AgentCredentialChanged, EntryPut, ...harmless } = ClusterEvent.cases

export const state = view(
  Schema.Struct({
    ...ClusterState.fields,
    registration: Schema.NullOr(registration),
    entries: Schema.Record(Schema.String, Schema.Struct({ ...NumberedEntry.fields, entry }))
  })
)

export const event = view(
  Schema.Union([
    ...Object.values(harmless),
    Schema.Struct({ ...ClusterRegistered.fields, registration }),
    Schema.Struct({ _tag: AgentCredentialChanged.fields._tag }),
    Schema.Struct({ ...EntryPut.fields, entry })
  ])
)
