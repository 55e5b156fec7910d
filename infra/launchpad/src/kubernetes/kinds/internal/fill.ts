/** Filling in what is absent. Pure. */
import { isObject, type JsonObject } from "../../JsonValue.ts"

/** Fields that the object does not have. */
export const fill = (object: JsonObject, defaults: JsonObject): JsonObject => {
  const missing = Object.entries(defaults).filter(([key]) => object[key] === undefined)
  return missing.length === 0 ? object : { ...object, ...Object.fromEntries(missing) }
}

/** Changes a field that is an object. */
export const mapField = (
  object: JsonObject,
  key: string,
  f: (value: JsonObject) => JsonObject
): JsonObject => {
  const value = object[key]
  if (!isObject(value)) return object
  const next = f(value)
  return next === value ? object : { ...object, [key]: next }
}

/** Changes the objects of a field that is a list. */
export const mapItems = (
  object: JsonObject,
  key: string,
  f: (value: JsonObject) => JsonObject
): JsonObject => {
  const value = object[key]
  if (!Array.isArray(value)) return object
  return { ...object, [key]: value.map((item) => (isObject(item) ? f(item) : item)) }
}
