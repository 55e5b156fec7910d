/** A Cluster as operators see it: no credential of its agent, and which variables its apps have, never what they are. */
import { EnvironmentVariable } from "@starform/domain/model/AppSettings"
import * as Schema from "effect/Schema"
import { DesiredEntry } from "../../desired/DesiredEntry.ts"
import { view } from "../SecretFree.ts"
import { CredentialState } from "./AgentCredential.ts"
import { ClusterEvent, ClusterState, NumberedEntry, Registration } from "./ClusterState.ts"

const { value: _, ...variable } = EnvironmentVariable.fields
const entry = Schema.Struct({ ...DesiredEntry.fields, variables: Schema.Array(Schema.Struct(variable)) })
const { agentTokenHash: __, ...registered } = Registration.fields
const registration = Schema.Struct(registered)

const credential = Schema.Struct({
  sinceMs: CredentialState.fields.sinceMs,
  rotationAsked: CredentialState.fields.rotationAsked,
  offered: Schema.NullOr(Schema.Struct({ untilMs: Schema.Int })),
  join: Schema.NullOr(Schema.Struct({ untilMs: Schema.Int }))
})

const {
  ClusterRegistered,
  AgentCredentialChanged,
  AgentCredentialOffered,
  AgentCredentialRotated,
  AgentJoined,
  JoinTokenIssued,
  EntryPut,
  ...harmless
} = ClusterEvent.cases

const { agentTokenHash: ___, ...offered } = AgentCredentialOffered.fields
const { agentTokenHash: ____, ...rotated } = AgentCredentialRotated.fields
const { agentTokenHash: _____, ...joined } = AgentJoined.fields
const { tokenHash: ______, ...issued } = JoinTokenIssued.fields

export const state = view(
  Schema.Struct({
    ...ClusterState.fields,
    registration: Schema.NullOr(registration),
    credential,
    entries: Schema.Record(Schema.String, Schema.Struct({ ...NumberedEntry.fields, entry }))
  })
)

export const event = view(
  Schema.Union([
    ...Object.values(harmless),
    Schema.Struct({ ...ClusterRegistered.fields, registration }),
    Schema.Struct({ _tag: AgentCredentialChanged.fields._tag }),
    Schema.Struct(offered),
    Schema.Struct(rotated),
    Schema.Struct(joined),
    Schema.Struct(issued),
    Schema.Struct({ ...EntryPut.fields, entry })
  ])
)
