/** Which fields a value has, and in which two values differ, by the structure of their kind. Pure. */
import { equal, isObject, type JsonObject } from "../JsonValue.ts"
import {
  childOf,
  declares,
  type FieldSchema,
  isList,
  isMap,
  isStruct,
  type ListSchema,
  resolve,
  type ResolvedSchema
} from "../schema/ResourceSchema.ts"
import { empty, type FieldNode, type FieldSet, FieldSetBuilder } from "./FieldSet.ts"

/** How a value is owned: as a whole, by field, or by item. Unstructured objects are owned by field, their lists whole. */
export type Ownership = "whole" | "fields" | "items"

export const ownershipOf = (schema: ResolvedSchema, value: unknown): Ownership => {
  if (schema === "any") return isObject(value) ? "fields" : "whole"
  if (isStruct(schema) || isMap(schema)) return schema.a === 1 ? "whole" : "fields"
  return isList(schema) && schema.k !== undefined ? "items" : "whole"
}

/** The step of an item: its keys in order, with the defaults of those it leaves out. */
export const itemStep = (item: unknown, list: ListSchema): string => {
  if (list.k === undefined || list.k === "set") return `v:${JSON.stringify(item)}`
  const struct = resolve(list.l)
  const defaults = isStruct(struct) ? (struct.d ?? {}) : {}
  const fields = isObject(item) ? item : {}
  const keys: Record<string, unknown> = {}
  for (const key of [...list.k].sort()) {
    const value = fields[key] ?? defaults[key]
    if (value !== undefined && value !== null) keys[key] = value
  }
  return `k:${JSON.stringify(keys)}`
}

const isEmptyObject = (value: unknown): boolean => isObject(value) && Object.keys(value).length === 0

/** All fields that an applied value claims. */
export const claimed = (value: unknown, schema: FieldSchema): FieldSet => {
  const resolved = resolve(schema)
  const ownership = ownershipOf(resolved, value)
  const result = new Map<string, FieldNode>()
  if (ownership === "items" && isList(resolved) && Array.isArray(value)) {
    for (const item of value) {
      result.set(itemStep(item, resolved), { isMember: true, below: claimed(item, resolved.l) })
    }
  }
  if (ownership === "fields" && isObject(value)) {
    for (const [key, field] of Object.entries(value)) {
      if (field === undefined) continue
      const child = resolve(childOf(resolved, key))
      const isWhole = ownershipOf(child, field) === "whole"
      const below = isWhole ? empty : claimed(field, child)
      const isMember = isWhole || field === null || isEmptyObject(field) || !declares(resolved, key)
      if (isMember || below.size > 0) result.set(`f:${key}`, { isMember, below })
    }
  }
  return result
}

export interface Comparison {
  readonly added: FieldSet
  readonly modified: FieldSet
  readonly removed: FieldSet
}

export const isSame = ({ added, modified, removed }: Comparison): boolean =>
  added.size === 0 && modified.size === 0 && removed.size === 0

const isAbsentOrEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0)

interface Walk {
  readonly added: FieldSetBuilder
  readonly modified: FieldSetBuilder
  readonly removed: FieldSetBuilder
}

const itemsByStep = (value: unknown, list: ListSchema): ReadonlyMap<string, unknown> => {
  const result = new Map<string, unknown>()
  if (Array.isArray(value)) for (const item of value) result.set(itemStep(item, list), item)
  return result
}

const visit = (
  walk: Walk,
  before: unknown,
  after: unknown,
  schema: FieldSchema,
  path: Array<string>
): void => {
  if (before === undefined && after === undefined) return
  const resolved = resolve(schema)
  const ownership = ownershipOf(resolved, after ?? before)
  const isLeaf = ownership === "whole" || (isAbsentOrEmpty(before) && isAbsentOrEmpty(after))
  if (isLeaf) {
    if (before === undefined) walk.added.insert(path)
    else if (after === undefined) walk.removed.insert(path)
    else if (!equal(before, after)) walk.modified.insert(path)
    return
  }
  if (ownership === "items" && isList(resolved)) {
    const past = itemsByStep(before, resolved)
    const present = itemsByStep(after, resolved)
    for (const step of new Set([...present.keys(), ...past.keys()])) {
      path.push(step)
      visit(walk, past.get(step), present.get(step), resolved.l, path)
      path.pop()
    }
  } else {
    const past: JsonObject = isObject(before) ? before : {}
    const present: JsonObject = isObject(after) ? after : {}
    for (const key of new Set([...Object.keys(present), ...Object.keys(past)])) {
      path.push(`f:${key}`)
      visit(walk, past[key], present[key], childOf(resolved, key), path)
      path.pop()
    }
  }
  if (path.length === 0) return
  if (before === undefined) walk.added.insert(path)
  else if (after === undefined) walk.removed.insert(path)
}

/** What a change of a value adds, modifies and removes; a container that comes or goes is itself in the set. */
export const compare = (before: unknown, after: unknown, schema: FieldSchema): Comparison => {
  const walk: Walk = {
    added: new FieldSetBuilder(),
    modified: new FieldSetBuilder(),
    removed: new FieldSetBuilder()
  }
  visit(walk, before, after, schema, [])
  return { added: walk.added.root, modified: walk.modified.root, removed: walk.removed.root }
}
