/** A Tenant as operators see it: which tokens there are, without their hashes. */
import * as Schema from "effect/Schema"
import { view } from "../SecretFree.ts"
import { TenantEvent, TenantState, TokenRecord } from "./TenantState.ts"

const { hash: _, ...record } = TokenRecord.fields
const token = Schema.Struct(record)

const { TokenAdded, ...harmless } = TenantEvent.cases

export const state = view(Schema.Struct({ ...TenantState.fields, tokens: Schema.Array(token) }))

export const event = view(
  Schema.Union([...Object.values(harmless), Schema.Struct({ ...TokenAdded.fields, token })])
)
