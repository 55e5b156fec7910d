/** Server-side apply: what an applied configuration makes of an object, and who owns it then. Pure. */
import * as Result from "effect/Result"
import { isObject, type JsonObject } from "../JsonValue.ts"
import type { FieldSchema } from "../schema/ResourceSchema.ts"
import * as FieldTree from "./FieldTree.ts"
import * as ManagedFields from "./ManagedFields.ts"
import { merge } from "./TypedMerge.ts"

export interface ApplyConflict {
  readonly manager: string
  readonly operation: "Apply" | "Update"
  readonly apiVersion: string
  readonly time: string
  readonly fields: ReadonlyArray<string>
}

export interface Applied {
  /** Without `managedFields`. */
  readonly object: JsonObject
  readonly managed: ReadonlyArray<ManagedFields.ManagedEntry>
}

export interface ApplyInput {
  readonly live: JsonObject
  readonly managed: ReadonlyArray<ManagedFields.ManagedEntry>
  readonly applied: JsonObject
  readonly manager: ManagedFields.Manager
  readonly apiVersion: string
  readonly schema: FieldSchema
  readonly force: boolean
  readonly time: string
}

/** Fields of `wanted` whose value would change and that others own, by owner. */
const conflicts = (input: ApplyInput, wanted: FieldTree.FieldTree): ReadonlyArray<ApplyConflict> =>
  input.managed.flatMap((entry) => {
    if (ManagedFields.isSame(entry, input.manager)) return []
    const fields = FieldTree.paths(FieldTree.intersection(wanted, entry.fieldsV1))
      .filter((path) => path.at(-1) !== ".")
      .filter(
        (path) =>
          JSON.stringify(FieldTree.valueAt(input.live, path)) !==
          JSON.stringify(FieldTree.valueAt(input.applied, path))
      )
      .map(FieldTree.describe)
    const { manager, operation, apiVersion, time } = entry
    return fields.length === 0 ? [] : [{ manager, operation, apiVersion, time, fields }]
  })

/** INV-API-K4. Fails with every conflict unless forced. */
export const apply = (input: ApplyInput): Result.Result<Applied, ReadonlyArray<ApplyConflict>> => {
  const { live, managed, applied, manager, schema } = input
  const wanted = FieldTree.of(ManagedFields.ownable(applied), schema)
  const disputed = conflicts(input, wanted)
  if (disputed.length > 0 && !input.force) return Result.fail(disputed)
  const before = managed.find((entry) => ManagedFields.isSame(entry, manager))?.fieldsV1 ?? FieldTree.empty
  const given = FieldTree.difference(before, wanted)
  const othersOwn = managed
    .filter((entry) => !ManagedFields.isSame(entry, manager))
    .reduce((tree, entry) => FieldTree.union(tree, entry.fieldsV1), FieldTree.empty)
  const orphaned = FieldTree.difference(given, othersOwn)
  const merged = merge(live, ManagedFields.ownable(applied), schema)
  const pruned = FieldTree.remove(merged, orphaned)
  const object = isObject(pruned) ? pruned : live
  const taken = disputed.length === 0 ? FieldTree.empty : disputedTree(input, wanted)
  const left = ManagedFields.disown(managed, manager, taken)
  return Result.succeed({
    object,
    managed: ManagedFields.put(left, manager, input.apiVersion, wanted, input.time)
  })
}

const disputedTree = (input: ApplyInput, wanted: FieldTree.FieldTree): FieldTree.FieldTree =>
  FieldTree.paths(wanted)
    .filter(
      (path) =>
        path.at(-1) !== "." &&
        JSON.stringify(FieldTree.valueAt(input.live, path)) !==
          JSON.stringify(FieldTree.valueAt(input.applied, path))
    )
    .reduce(
      (tree, path) =>
        FieldTree.union(
          tree,
          path.reduceRight<FieldTree.FieldTree>((below, step) => ({ [step]: below }), FieldTree.empty)
        ),
      FieldTree.empty
    )
