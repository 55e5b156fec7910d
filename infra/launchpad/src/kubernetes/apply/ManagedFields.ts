/** Who owns which fields of an object, as in `metadata.managedFields`. Pure. */
import { isObject, type JsonObject, without } from "../JsonValue.ts"
import * as FieldSet from "./FieldSet.ts"

/** Who writes, and by which road; two roads of the same name are two managers. */
export interface Manager {
  readonly name: string
  readonly operation: "Apply" | "Update"
  readonly subresource?: string | undefined
}

export interface Owner extends Manager {
  readonly apiVersion: string
  /** Absent when all that it ever claimed was there already. */
  readonly time: string | undefined
  readonly fields: FieldSet.FieldSet
}

export const isSame = (a: Manager, b: Manager): boolean =>
  a.name === b.name && a.operation === b.operation && (a.subresource ?? "") === (b.subresource ?? "")

/** Owner of what was there before the first apply to an object without owners. */
export const beforeFirstApply: Manager = { name: "before-first-apply", operation: "Update" }

/** More plain writers than this are taken together, the oldest first. @source the API server's cap of managers */
export const updatersMax = 10

const ancient = "ancient-changes"

const serverOwned = [
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
  "selfLink"
]

/** The part of an object whose fields have owners. Its metadata is always there, and so nobody's. */
export const ownable = (object: JsonObject): JsonObject => {
  const { metadata } = object
  const rest = without(object, "apiVersion", "kind", "metadata")
  return { metadata: isObject(metadata) ? without(metadata, ...serverOwned) : {}, ...rest }
}

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

const readOwner = (entry: unknown): ReadonlyArray<Owner> => {
  if (!isObject(entry)) return []
  const { manager, operation, apiVersion, time, fieldsV1, subresource } = entry
  return [
    {
      name: text(manager) ?? "",
      operation: operation === "Apply" ? "Apply" : "Update",
      apiVersion: text(apiVersion) ?? "",
      time: text(time),
      fields: FieldSet.fromJson(fieldsV1),
      subresource: text(subresource)
    }
  ]
}

/** The owners that an object says it has. */
export const read = (managedFields: unknown): ReadonlyArray<Owner> =>
  Array.isArray(managedFields) ? managedFields.flatMap(readOwner) : []

/** Applies before updates, then by time, then by name. @source the order in which Kubernetes stores them */
const order = (a: Owner, b: Owner): number => {
  const keys = (owner: Owner) => [owner.operation, owner.time ?? "", owner.name, owner.subresource ?? ""]
  const [left, right] = [keys(a), keys(b)]
  const at = left.findIndex((key, index) => key !== right[index])
  return at === -1 ? 0 : (left[at] ?? "") < (right[at] ?? "") ? -1 : 1
}

export const write = (owners: ReadonlyArray<Owner>): ReadonlyArray<JsonObject> =>
  owners
    .filter(({ fields }) => fields.size > 0)
    .sort(order)
    .map(({ name, operation, apiVersion, time, fields, subresource }) => ({
      manager: name,
      operation,
      apiVersion,
      ...(time === undefined ? {} : { time }),
      fieldsType: "FieldsV1",
      fieldsV1: FieldSet.toJson(fields),
      ...(subresource === undefined ? {} : { subresource })
    }))

/** Whether two lists of owners differ in more than times. */
export const isSameButTimes = (a: ReadonlyArray<Owner>, b: ReadonlyArray<Owner>): boolean => {
  const kept = (owners: ReadonlyArray<Owner>) => owners.filter(({ fields }) => fields.size > 0)
  const [left, right] = [kept(a), kept(b)]
  return (
    left.length === right.length &&
    left.every((owner) => {
      const other = right.find((candidate) => isSame(owner, candidate))
      return (
        other !== undefined &&
        other.apiVersion === owner.apiVersion &&
        FieldSet.equal(owner.fields, other.fields)
      )
    })
  )
}

/** Takes fields away from everybody. */
export const disown = (owners: ReadonlyArray<Owner>, fields: FieldSet.FieldSet): ReadonlyArray<Owner> =>
  fields.size === 0
    ? owners
    : owners.map((owner) => ({ ...owner, fields: FieldSet.difference(owner.fields, fields) }))

/** Keeps the number of plain writers bounded. */
export const capped = (owners: ReadonlyArray<Owner>): ReadonlyArray<Owner> => {
  const updaters = owners.filter(
    ({ operation, fields, subresource }) =>
      operation === "Update" && fields.size > 0 && subresource === undefined
  )
  if (updaters.length <= updatersMax) return owners
  const old = [...updaters].sort(order).slice(0, updaters.length - updatersMax + 1)
  const [first] = old
  if (first === undefined) return owners
  const fields = old.reduce((set, owner) => FieldSet.union(set, owner.fields), FieldSet.empty)
  const bucket: Owner = { ...first, name: ancient, time: old.at(-1)?.time, fields }
  return [...owners.filter((owner) => !old.includes(owner)), bucket]
}
