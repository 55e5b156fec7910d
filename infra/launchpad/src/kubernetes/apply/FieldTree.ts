/**
 * Sets of fields in the form in which Kubernetes stores them (`fieldsV1`): `f:name`, `k:{"name":"app"}`, `v:"x"`, and `.`
 * for an item itself. Pure.
 */
import { isObject, type JsonObject } from "../JsonValue.ts"
import { type FieldSchema, type ListSchema, resolve } from "../schema/ResourceSchema.ts"

export type FieldTree = { readonly [path: string]: FieldTree }

export const empty: FieldTree = {}

const itemMark = "."

/** Keys of an associative list's item, in the order of their names, defaults filled in. */
export const itemKey = (item: unknown, schema: ListSchema): string => {
  if (schema.k === "set" || schema.k === undefined) return `v:${JSON.stringify(item)}`
  const struct = resolve(schema.l)
  const defaults = typeof struct === "object" && "p" in struct ? (struct.d ?? {}) : {}
  const fields = isObject(item) ? item : {}
  const entries = [...schema.k].sort().flatMap((key): Array<[string, unknown]> => {
    const value = fields[key] ?? defaults[key]
    return value === undefined ? [] : [[key, value]]
  })
  return `k:${JSON.stringify(Object.fromEntries(entries))}`
}

/** Whether parts of it can have different owners. */
export const isGranular = (schema: FieldSchema): boolean => {
  const resolved = resolve(schema)
  if (typeof resolved === "string") return false
  if ("l" in resolved) return resolved.k !== undefined
  return !("a" in resolved && resolved.a === 1)
}

/** The schema of a field below a struct or a map. */
export const childSchema = (schema: FieldSchema, field: string): FieldSchema => {
  const resolved = resolve(schema)
  if (typeof resolved === "string") return "any"
  if ("p" in resolved) return resolved.p[field] ?? "any"
  return "v" in resolved ? resolved.v : "any"
}

/** All fields of a value. `any` without a schema is taken as granular when it is an object, as unstructured content is. */
export const of = (value: unknown, schema: FieldSchema): FieldTree => {
  const resolved = resolve(schema)
  if (Array.isArray(value)) {
    if (typeof resolved === "string" || !("l" in resolved) || resolved.k === undefined) return empty
    const list = resolved
    return Object.fromEntries(
      value.map((item): [string, FieldTree] => [
        itemKey(item, list),
        list.k === "set" ? empty : { [itemMark]: empty, ...of(item, list.l) }
      ])
    )
  }
  if (!isObject(value) || (resolved !== "any" && !isGranular(resolved))) return empty
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined && field !== null)
      .map(([key, field]): [string, FieldTree] => [`f:${key}`, of(field, childSchema(resolved, key))])
  )
}

const isLeaf = (tree: FieldTree): boolean => Object.keys(tree).length === 0

export const isEmpty = isLeaf

export const union = (a: FieldTree, b: FieldTree): FieldTree => {
  const result: Record<string, FieldTree> = { ...a }
  for (const [key, tree] of Object.entries(b)) {
    const present = result[key]
    result[key] = present === undefined ? tree : union(present, tree)
  }
  return result
}

/** What is in `a` and not in `b`. A leaf of `a` is taken away by the same path in `b`, whatever is below it there. */
export const difference = (a: FieldTree, b: FieldTree): FieldTree => {
  const result: Record<string, FieldTree> = {}
  for (const [key, tree] of Object.entries(a)) {
    const other = b[key]
    if (other === undefined) result[key] = tree
    else if (!isLeaf(tree)) {
      const rest = difference(tree, other)
      if (!isLeaf(rest)) result[key] = rest
    }
  }
  return result
}

/** What is in both; a leaf meets whatever is at or below its path. */
export const intersection = (a: FieldTree, b: FieldTree): FieldTree => {
  const result: Record<string, FieldTree> = {}
  for (const [key, tree] of Object.entries(a)) {
    const other = b[key]
    if (other === undefined) continue
    if (isLeaf(tree) || isLeaf(other)) result[key] = empty
    else {
      const both = intersection(tree, other)
      if (!isLeaf(both)) result[key] = both
    }
  }
  return result
}

/** Every leaf as a path of steps. */
export const paths = (
  tree: FieldTree,
  prefix: ReadonlyArray<string> = []
): ReadonlyArray<ReadonlyArray<string>> =>
  Object.entries(tree).flatMap(([step, below]) =>
    isLeaf(below) ? [[...prefix, step]] : paths(below, [...prefix, step])
  )

const matches = (item: unknown, step: string): boolean => {
  if (step.startsWith("v:")) return JSON.stringify(item) === step.slice(2)
  const wanted = JSON.parse(step.slice(2)) as JsonObject
  const fields = isObject(item) ? item : {}
  return Object.entries(wanted).every(
    ([key, value]) =>
      fields[key] === value || (fields[key] === undefined && key === "protocol" && value === "TCP")
  )
}

/** The value at a path; `undefined` when it is not there. */
export const valueAt = (value: unknown, path: ReadonlyArray<string>): unknown => {
  let current: unknown = value
  for (const step of path) {
    if (step === itemMark) continue
    if (step.startsWith("f:")) current = isObject(current) ? current[step.slice(2)] : undefined
    else current = Array.isArray(current) ? current.find((item) => matches(item, step)) : undefined
    if (current === undefined) return undefined
  }
  return current
}

/** As Kubernetes words a path: `.spec.template.spec.containers[name="app"].image`. */
export const describe = (path: ReadonlyArray<string>): string =>
  path
    .filter((step) => step !== itemMark)
    .map((step) => {
      if (step.startsWith("f:")) return `.${step.slice(2)}`
      if (step.startsWith("v:")) return `[=${step.slice(2)}]`
      const keys = Object.entries(JSON.parse(step.slice(2)) as JsonObject)
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(",")}]`
    })
    .join("")

/** The value without the fields of a tree. Containers that become empty because of it go as well. */
export const remove = (value: unknown, tree: FieldTree): unknown => {
  if (Array.isArray(value)) {
    const kept = value.flatMap((item) => {
      const step = Object.keys(tree).find((candidate) => candidate !== itemMark && matches(item, candidate))
      if (step === undefined) return [item]
      const below = tree[step] ?? empty
      if (isLeaf(below) || itemMark in below) return []
      const rest = remove(item, below)
      return rest === undefined ? [] : [rest]
    })
    return kept.length === 0 && value.length > 0 ? undefined : kept
  }
  if (!isObject(value)) return value
  const result: Record<string, unknown> = { ...value }
  let removed = false
  for (const [step, below] of Object.entries(tree)) {
    if (!step.startsWith("f:")) continue
    const key = step.slice(2)
    if (!(key in result)) continue
    const rest = isLeaf(below) ? undefined : remove(result[key], below)
    if (rest === undefined) {
      delete result[key]
      removed = true
    } else result[key] = rest
  }
  return removed && Object.keys(result).length === 0 ? undefined : result
}
