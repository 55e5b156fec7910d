/** Who owns which fields of an object, as in `metadata.managedFields`. Pure. */
import { isObject, type JsonObject, without } from "../JsonValue.ts"
import type { FieldSchema } from "../schema/ResourceSchema.ts"
import * as FieldTree from "./FieldTree.ts"

export interface ManagedEntry {
  readonly manager: string
  readonly operation: "Apply" | "Update"
  readonly apiVersion: string
  readonly time: string
  readonly fieldsType: "FieldsV1"
  readonly fieldsV1: FieldTree.FieldTree
  readonly subresource?: string
}

/** Who writes, and by which road. */
export interface Manager {
  readonly name: string
  readonly operation: "Apply" | "Update"
  readonly subresource?: string
}

export const isSame = (entry: ManagedEntry, manager: Manager): boolean =>
  entry.manager === manager.name &&
  entry.operation === manager.operation &&
  (entry.subresource ?? "") === (manager.subresource ?? "")

const serverOwned = [
  "name",
  "namespace",
  "generateName",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
  "selfLink"
]

/** The part of an object whose fields have owners. */
export const ownable = (object: JsonObject): JsonObject => {
  const metadata = isObject(object["metadata"]) ? without(object["metadata"], ...serverOwned) : {}
  const rest = without(object, "apiVersion", "kind", "metadata")
  return Object.keys(metadata).length === 0 ? rest : { metadata, ...rest }
}

/** Replaces or adds the manager's entry; an entry without fields goes. Applies first, as Kubernetes orders them. */
export const put = (
  entries: ReadonlyArray<ManagedEntry>,
  manager: Manager,
  apiVersion: string,
  fields: FieldTree.FieldTree,
  time: string
): ReadonlyArray<ManagedEntry> => {
  const known = entries.find((entry) => isSame(entry, manager))
  const others = entries.filter((entry) => !isSame(entry, manager))
  if (FieldTree.isEmpty(fields)) return others
  const isUnchanged =
    known !== undefined && JSON.stringify(sorted(known.fieldsV1)) === JSON.stringify(sorted(fields))
  const entry: ManagedEntry = isUnchanged
    ? known
    : {
        manager: manager.name,
        operation: manager.operation,
        apiVersion,
        time,
        fieldsType: "FieldsV1",
        fieldsV1: sorted(fields),
        ...(manager.subresource === undefined ? {} : { subresource: manager.subresource })
      }
  const rank = ({ operation, time: at, manager: name }: ManagedEntry) =>
    `${operation === "Apply" ? 0 : 1}${at}${name}`
  return [...others, entry].sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
}

/** Takes fields away from every manager but one. */
export const disown = (
  entries: ReadonlyArray<ManagedEntry>,
  keeper: Manager,
  fields: FieldTree.FieldTree
): ReadonlyArray<ManagedEntry> =>
  entries.flatMap((entry) => {
    if (isSame(entry, keeper)) return [entry]
    const rest = withoutBareItems(FieldTree.difference(entry.fieldsV1, fields))
    if (FieldTree.isEmpty(rest)) return []
    return [rest === entry.fieldsV1 ? entry : { ...entry, fieldsV1: rest }]
  })

/** Ownership of a plain write: what it changed or added, beside what it owned before and is still there. */
export const afterUpdate = (
  entries: ReadonlyArray<ManagedEntry>,
  before: JsonObject,
  after: JsonObject,
  manager: Manager,
  apiVersion: string,
  schema: FieldSchema,
  time: string
): ReadonlyArray<ManagedEntry> => {
  const now = FieldTree.of(ownable(after), schema)
  const past = FieldTree.of(ownable(before), schema)
  const changed = FieldTree.paths(now).filter(
    (path) =>
      JSON.stringify(FieldTree.valueAt(before, path)) !== JSON.stringify(FieldTree.valueAt(after, path))
  )
  const changedTree = changed.reduce((tree, path) => FieldTree.union(tree, treeOf(path)), FieldTree.empty)
  const gone = FieldTree.difference(past, now)
  const known = entries.find((entry) => isSame(entry, manager))?.fieldsV1 ?? FieldTree.empty
  const mine = FieldTree.union(FieldTree.difference(known, gone), changedTree)
  const others = disown(entries, manager, FieldTree.union(changedTree, gone))
  return put(others, manager, apiVersion, mine, time)
}

const treeOf = (path: ReadonlyArray<string>): FieldTree.FieldTree =>
  path.reduceRight<FieldTree.FieldTree>((below, step) => ({ [step]: below }), FieldTree.empty)

const withoutBareItems = (tree: FieldTree.FieldTree): FieldTree.FieldTree =>
  Object.fromEntries(
    Object.entries(tree).flatMap(([step, below]): Array<[string, FieldTree.FieldTree]> => {
      const rest = FieldTree.isEmpty(below) ? below : withoutBareItems(below)
      const wasContainer = !FieldTree.isEmpty(below)
      return wasContainer && FieldTree.isEmpty(rest) ? [] : [[step, rest]]
    })
  )

const sorted = (tree: FieldTree.FieldTree): FieldTree.FieldTree =>
  Object.fromEntries(
    Object.entries(tree)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([step, below]) => [step, sorted(below)])
  )
