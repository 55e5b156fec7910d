/**
 * What a write makes of an object's owners, and what an applied configuration makes of the object itself (INV-API-K3,
 * INV-API-K4). Pure.
 * @source structured-merge-diff, the library behind Kubernetes' server-side apply
 */
import * as Result from "effect/Result"
import { isObject, type JsonObject } from "../JsonValue.ts"
import type { FieldSchema } from "../schema/ResourceSchema.ts"
import * as FieldSet from "./FieldSet.ts"
import * as ManagedFields from "./ManagedFields.ts"
import * as TypedFields from "./TypedFields.ts"
import * as TypedMerge from "./TypedMerge.ts"

type Owners = ReadonlyArray<ManagedFields.Owner>

export interface ApplyConflict {
  readonly owner: ManagedFields.Owner
  /** As Kubernetes words paths, in their order. */
  readonly fields: ReadonlyArray<string>
}

export interface Writing {
  readonly manager: ManagedFields.Manager
  readonly apiVersion: string
  readonly schema: FieldSchema
  /** What goes to `managedFields[].time`; `undefined` for writes that Kubernetes does not date. */
  readonly time: string | undefined
}

const changed = ({ added, modified }: TypedFields.Comparison): FieldSet.FieldSet =>
  FieldSet.union(added, modified)

/** Owners after a plain write: whoever writes a value owns it, and nobody owns what is gone. */
export const afterUpdate = (
  before: JsonObject,
  after: JsonObject,
  owners: Owners,
  writing: Writing
): Owners => {
  const comparison = TypedFields.compare(
    ManagedFields.ownable(before),
    ManagedFields.ownable(after),
    writing.schema
  )
  const taken = changed(comparison)
  const left = ManagedFields.disown(ManagedFields.disown(owners, comparison.removed), taken)
  if (taken.size === 0) return left
  const present = left.find((owner) => ManagedFields.isSame(owner, writing.manager))
  const mine: ManagedFields.Owner = {
    ...writing.manager,
    apiVersion: writing.apiVersion,
    time: writing.time,
    fields: FieldSet.union(present?.fields ?? FieldSet.empty, taken)
  }
  return ManagedFields.capped([
    ...left.filter((owner) => !ManagedFields.isSame(owner, writing.manager)),
    mine
  ])
}

const owned = (owners: Owners): FieldSet.FieldSet =>
  owners.reduce((set, { fields }) => FieldSet.union(set, fields), FieldSet.empty)

/**
 * Takes out what the applier claimed last time and nobody claims now. Items and fields that others own stay, and so does
 * what lies below an item that the applier never claimed.
 */
const pruned = (
  merged: JsonObject,
  last: FieldSet.FieldSet,
  owners: Owners,
  schema: FieldSchema
): JsonObject => {
  const declared = (set: FieldSet.FieldSet) => FieldSet.withDeclaredFields(set, schema)
  const all = declared(TypedFields.claimed(merged, schema))
  const cut = (fields: FieldSet.FieldSet): JsonObject => {
    const rest = TypedMerge.without(merged, fields, schema)
    return isObject(rest) ? rest : {}
  }
  const without = cut(declared(last))
  const kept = FieldSet.union(declared(TypedFields.claimed(without, schema)), declared(owned(owners)))
  const withOwned = cut(FieldSet.difference(all, kept))
  const dangling = FieldSet.difference(all, declared(TypedFields.claimed(withOwned, schema)))
  return cut(FieldSet.intersection(dangling, declared(last)))
}

export interface ApplyInput extends Writing {
  readonly live: JsonObject
  readonly owners: Owners
  readonly applied: JsonObject
  readonly force: boolean
}

export interface Applied {
  /** `undefined` when the live object has it all. Without what is nobody's: names, versions, times. */
  readonly object: JsonObject | undefined
  readonly owners: Owners
}

const conflictsOf = (others: Owners, taken: FieldSet.FieldSet): ReadonlyArray<ApplyConflict> =>
  others
    .flatMap((owner) => {
      const fields = FieldSet.paths(FieldSet.intersection(owner.fields, taken)).map(FieldSet.describe)
      return fields.length === 0 ? [] : [{ owner, fields }]
    })
    .sort((a, b) => (a.owner.name < b.owner.name ? -1 : 1))

const withoutEmptyMetadata = (configuration: JsonObject): JsonObject => {
  const { metadata, ...rest } = configuration
  return isObject(metadata) && Object.keys(metadata).length > 0 ? configuration : rest
}

/** Fails with every conflict unless forced. */
export const apply = (input: ApplyInput): Result.Result<Applied, ReadonlyArray<ApplyConflict>> => {
  const { schema, manager, apiVersion } = input
  const live = ManagedFields.ownable(input.live)
  const configuration = ManagedFields.ownable(input.applied)
  const others = input.owners.filter((owner) => !ManagedFields.isSame(owner, manager))
  const past = input.owners.find((owner) => ManagedFields.isSame(owner, manager))
  const mine: ManagedFields.Owner = {
    ...manager,
    apiVersion,
    time: past?.time,
    fields: TypedFields.claimed(withoutEmptyMetadata(configuration), schema)
  }
  const merged = TypedMerge.merge(live, configuration, schema) as JsonObject
  const last = past?.fields ?? FieldSet.empty
  const object = last.size === 0 ? merged : pruned(merged, last, [...others, mine], schema)
  const comparison = TypedFields.compare(live, object, schema)
  const taken = changed(comparison)
  const conflicts = conflictsOf(others, taken)
  if (conflicts.length > 0 && !input.force) return Result.fail(conflicts)
  const left = ManagedFields.disown(ManagedFields.disown(others, taken), comparison.removed)
  const isSame = TypedFields.isSame(comparison)
  return Result.succeed({
    object: isSame ? undefined : object,
    owners: [...left, isSame ? mine : { ...mine, time: input.time }]
  })
}
