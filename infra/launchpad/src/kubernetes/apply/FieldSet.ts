/**
 * Sets of field paths, read from and written to the form in which Kubernetes stores them (`fieldsV1`): steps are `f:name`,
 * `k:{"name":"app"}` for an item of an associative list, `v:"x"` for one of a set, and `.` for the path itself. Pure.
 */
import { isObject, type JsonObject } from "../JsonValue.ts"
import { childOf, declares, type FieldSchema, isList, resolve } from "../schema/ResourceSchema.ts"

export interface FieldNode {
  /** Whether the path that ends here is in the set. */
  readonly isMember: boolean
  readonly below: FieldSet
}

/** By step. A node is a member or has members below. */
export type FieldSet = ReadonlyMap<string, FieldNode>

export const empty: FieldSet = new Map()

/** Insertion in place, for building a set. */
export class FieldSetBuilder {
  readonly root: Map<string, FieldNode> = new Map()

  /** The path must not be empty. */
  insert(path: ReadonlyArray<string>): void {
    let level = this.root
    for (const [index, step] of path.entries()) {
      const present = level.get(step)
      const isLast = index === path.length - 1
      const below =
        present === undefined ? new Map<string, FieldNode>() : (present.below as Map<string, FieldNode>)
      if (present === undefined || (isLast && !present.isMember)) {
        level.set(step, { isMember: isLast || present?.isMember === true, below })
      }
      level = below
    }
  }
}

export const union = (a: FieldSet, b: FieldSet): FieldSet => {
  if (b.size === 0) return a
  if (a.size === 0) return b
  const result = new Map(a)
  for (const [step, node] of b) {
    const present = result.get(step)
    result.set(
      step,
      present === undefined
        ? node
        : { isMember: present.isMember || node.isMember, below: union(present.below, node.below) }
    )
  }
  return result
}

/** Paths of `a` that are not paths of `b`; a path of `b` takes nothing away that lies below it. */
export const difference = (a: FieldSet, b: FieldSet): FieldSet => {
  if (a.size === 0 || b.size === 0) return a
  const result = new Map<string, FieldNode>()
  for (const [step, node] of a) {
    const other = b.get(step)
    if (other === undefined) result.set(step, node)
    else {
      const isMember = node.isMember && !other.isMember
      const below = difference(node.below, other.below)
      if (isMember || below.size > 0) result.set(step, { isMember, below })
    }
  }
  return result
}

export const intersection = (a: FieldSet, b: FieldSet): FieldSet => {
  const result = new Map<string, FieldNode>()
  if (a.size === 0 || b.size === 0) return result
  for (const [step, node] of a) {
    const other = b.get(step)
    if (other === undefined) continue
    const isMember = node.isMember && other.isMember
    const below = intersection(node.below, other.below)
    if (isMember || below.size > 0) result.set(step, { isMember, below })
  }
  return result
}

const schemaOfStep = (schema: FieldSchema, step: string): FieldSchema => {
  const resolved = resolve(schema)
  if (step.startsWith("f:")) return childOf(resolved, step.slice(2))
  return isList(resolved) ? resolved.l : "any"
}

/** Makes members of all declared fields on the way to a member, so that taking one away takes its emptied parents along. */
export const withDeclaredFields = (set: FieldSet, schema: FieldSchema): FieldSet => {
  const resolved = resolve(schema)
  const result = new Map<string, FieldNode>()
  for (const [step, { isMember, below }] of set) {
    result.set(step, {
      isMember: isMember || (below.size > 0 && step.startsWith("f:") && declares(resolved, step.slice(2))),
      below: below.size === 0 ? below : withDeclaredFields(below, schemaOfStep(schema, step))
    })
  }
  return result
}

/** Every member as a path of steps: those of a level in order before those below it. */
export const paths = (
  set: FieldSet,
  prefix: ReadonlyArray<string> = []
): ReadonlyArray<ReadonlyArray<string>> => {
  const sorted = [...set].sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    ...sorted.flatMap(([step, node]) => (node.isMember ? [[...prefix, step]] : [])),
    ...sorted.flatMap(([step, node]) => paths(node.below, [...prefix, step]))
  ]
}

/** As Kubernetes words a path: `.spec.template.spec.containers[name="app"].image`. */
export const describe = (path: ReadonlyArray<string>): string =>
  path
    .map((step) => {
      if (step.startsWith("f:")) return `.${step.slice(2)}`
      if (step.startsWith("v:")) return `[=${step.slice(2)}]`
      const keys = Object.entries(JSON.parse(step.slice(2)) as JsonObject)
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(",")}]`
    })
    .join("")

export const equal = (a: FieldSet, b: FieldSet): boolean => {
  if (a === b) return true
  if (a.size !== b.size) return false
  for (const [step, node] of a) {
    const other = b.get(step)
    if (other === undefined || other.isMember !== node.isMember || !equal(node.below, other.below))
      return false
  }
  return true
}

/** A stored `fieldsV1`. What is not in that form is left out. */
export const fromJson = (stored: unknown): FieldSet => {
  const result = new Map<string, FieldNode>()
  if (!isObject(stored)) return result
  for (const [step, value] of Object.entries(stored)) {
    if (step === "." || !isObject(value)) continue
    const below = fromJson(value)
    result.set(step, { isMember: below.size === 0 || "." in value, below })
  }
  return result
}

/** Steps in order, so that the same set is the same text. */
export const toJson = (set: FieldSet): JsonObject => {
  const result: Record<string, unknown> = {}
  for (const [step, node] of [...set].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (node.below.size === 0) result[step] = {}
    else result[step] = node.isMember ? { ".": {}, ...toJson(node.below) } : toJson(node.below)
  }
  return result
}
