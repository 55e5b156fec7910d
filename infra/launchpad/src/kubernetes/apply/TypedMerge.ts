/** Merging an applied configuration into an object: structs and maps by field, associative lists by key, the rest whole. Pure. */
import { isObject, type JsonObject } from "../JsonValue.ts"
import { type FieldSchema, resolve } from "../schema/ResourceSchema.ts"
import { childSchema, isGranular, itemKey } from "./FieldTree.ts"

const mergeObjects = (live: JsonObject, applied: JsonObject, schema: FieldSchema): JsonObject => {
  const result: Record<string, unknown> = { ...live }
  for (const [key, value] of Object.entries(applied)) {
    if (value === undefined || value === null) continue
    result[key] = merge(live[key], value, childSchema(schema, key))
  }
  return result
}

export const merge = (live: unknown, applied: unknown, schema: FieldSchema): unknown => {
  const resolved = resolve(schema)
  if (Array.isArray(applied)) {
    if (typeof resolved === "string" || !("l" in resolved) || resolved.k === undefined) return applied
    const list = resolved
    const items = Array.isArray(live) ? live : []
    const wanted = new Map(applied.map((item) => [itemKey(item, list), item]))
    const result = items.map((item) => {
      const key = itemKey(item, list)
      const change = wanted.get(key)
      wanted.delete(key)
      return change === undefined ? item : list.k === "set" ? item : merge(item, change, list.l)
    })
    return [...result, ...wanted.values()]
  }
  if (!isObject(applied) || !isObject(live)) return applied
  if (resolved !== "any" && !isGranular(resolved)) return applied
  return mergeObjects(live, applied, resolved)
}
