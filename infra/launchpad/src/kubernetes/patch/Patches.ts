/** Patches that look like the object: JSON Merge Patch (RFC 7396) and Kubernetes' strategic merge. Pure. */
import { isObject } from "../JsonValue.ts"
import { childOf, type FieldSchema, isList, resolve } from "../schema/ResourceSchema.ts"

export const merge = (target: unknown, patch: unknown): unknown => {
  if (!isObject(patch)) return patch
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = merge(result[key], value)
  }
  return result
}

const strategicList = (
  target: ReadonlyArray<unknown>,
  patch: ReadonlyArray<unknown>,
  mergeKey: string,
  item: FieldSchema
): ReadonlyArray<unknown> => {
  if (mergeKey === "set") return [...target, ...patch.filter((value) => !target.includes(value))]
  let result = [...target]
  for (const change of patch) {
    if (!isObject(change)) continue
    const { $patch: directive, ...fields } = change
    if (directive === "replace") return patch.filter((other) => other !== change)
    const index = result.findIndex((known) => isObject(known) && known[mergeKey] === change[mergeKey])
    if (directive === "delete") result = result.filter((_, at) => at !== index)
    else if (index === -1) result.push(fields)
    else result[index] = strategic(result[index], fields, item)
  }
  return result
}

export const strategic = (target: unknown, patch: unknown, schema: FieldSchema): unknown => {
  if (!isObject(patch)) return patch
  if (patch["$patch"] === "replace") {
    const { $patch: _, ...fields } = patch
    return fields
  }
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$")) continue
    const present = result[key]
    const child = resolve(childOf(resolve(schema), key))
    if (value === null) delete result[key]
    else if (Array.isArray(value) && Array.isArray(present)) {
      result[key] =
        isList(child) && child.m !== undefined ? strategicList(present, value, child.m, child.l) : value
    } else result[key] = isObject(value) ? strategic(present, value, child) : value
  }
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith("$deleteFromPrimitiveList/") || !Array.isArray(order)) continue
    const field = key.slice("$deleteFromPrimitiveList/".length)
    const present = result[field]
    if (Array.isArray(present)) result[field] = present.filter((value) => !order.includes(value))
  }
  return result
}
