/**
 * Merging an applied configuration into an object, and taking fields out of one: structs and maps by field, associative
 * lists by key, everything else whole. Pure.
 */
import { isObject, type JsonObject } from "../JsonValue.ts"
import { childOf, type FieldSchema, isList, type ListSchema, resolve } from "../schema/ResourceSchema.ts"
import type { FieldSet } from "./FieldSet.ts"
import { itemStep, ownershipOf } from "./TypedFields.ts"

const mergeObjects = (live: JsonObject, applied: JsonObject, schema: FieldSchema): JsonObject => {
  const resolved = resolve(schema)
  const result: Record<string, unknown> = { ...live }
  for (const [key, value] of Object.entries(applied)) {
    if (value !== undefined) result[key] = merge(live[key], value, childOf(resolved, key))
  }
  return result
}

/**
 * Items that both have come in the applied order, the others where they were in relation to them; new ones after the items
 * that they follow in the applied list.
 * @source the list merge of structured-merge-diff
 */
const mergeItems = (
  live: ReadonlyArray<unknown>,
  applied: ReadonlyArray<unknown>,
  list: ListSchema
): ReadonlyArray<unknown> => {
  const liveSteps = live.map((item) => itemStep(item, list))
  const appliedSteps = applied.map((item) => itemStep(item, list))
  const liveByStep = new Map(liveSteps.map((step, index) => [step, live[index]]))
  const inApplied = new Set(appliedSteps)
  const shared = appliedSteps.filter((step) => liveByStep.has(step))
  const merged = new Set<string>()
  const result: Array<unknown> = []
  let nextShared = 0
  let liveIndex = 0
  let appliedIndex = 0
  const take = (step: string, item: unknown) => {
    merged.add(step)
    result.push(list.k === "set" ? item : merge(liveByStep.get(step), item, list.l))
    if (shared[nextShared] === step) nextShared += 1
  }
  while (liveIndex < live.length || appliedIndex < applied.length) {
    const liveStep = liveSteps[liveIndex]
    const appliedStep = appliedSteps[appliedIndex]
    if (liveStep !== undefined && liveStep === appliedStep) {
      take(liveStep, applied[appliedIndex])
      liveIndex += 1
      appliedIndex += 1
    } else if (liveStep !== undefined && !inApplied.has(liveStep)) {
      result.push(live[liveIndex])
      liveIndex += 1
    } else if (liveStep !== undefined && (merged.has(liveStep) || shared[nextShared] !== liveStep)) {
      liveIndex += 1
    } else if (appliedStep !== undefined) {
      take(appliedStep, applied[appliedIndex])
      appliedIndex += 1
    }
  }
  return result
}

export const merge = (live: unknown, applied: unknown, schema: FieldSchema): unknown => {
  const resolved = resolve(schema)
  const ownership = ownershipOf(resolved, applied)
  if (ownership === "items" && isList(resolved) && Array.isArray(live) && Array.isArray(applied)) {
    return applied.length === 0 ? live : mergeItems(live, applied, resolved)
  }
  if (ownership === "fields" && isObject(live) && isObject(applied)) {
    return mergeObjects(live, applied, resolved)
  }
  return applied
}

/** The value without the fields of a set; a field of which nothing is left is `null`, as it was there. */
export const without = (value: unknown, fields: FieldSet, schema: FieldSchema): unknown => {
  if (fields.size === 0) return value
  const resolved = resolve(schema)
  const ownership = ownershipOf(resolved, value)
  if (ownership === "items" && isList(resolved) && Array.isArray(value)) {
    const kept = value.flatMap((item): ReadonlyArray<unknown> => {
      const node = fields.get(itemStep(item, resolved))
      if (node?.isMember === true) return []
      return [node === undefined ? item : without(item, node.below, resolved.l)]
    })
    return kept.length === 0 ? null : kept
  }
  if (ownership === "fields" && isObject(value)) {
    const kept = Object.entries(value).flatMap(([key, field]): ReadonlyArray<readonly [string, unknown]> => {
      const node = fields.get(`f:${key}`)
      if (node?.isMember === true) return []
      return [[key, node === undefined ? field : without(field, node.below, childOf(resolved, key))]]
    })
    return kept.length === 0 ? null : Object.fromEntries(kept)
  }
  return value
}
