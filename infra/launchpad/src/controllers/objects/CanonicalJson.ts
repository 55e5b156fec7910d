/** Comparing JSON by content. */
import * as Predicate from "effect/Predicate"

/** JSON text that does not depend on the order of keys; members that are `undefined` are left out. */
export const canonicalJson = (value: unknown): string => {
  if (Array.isArray(value)) {
    return `[${value.map(canonicalJson).join(",")}]`
  }
  if (Predicate.isObject(value)) {
    const record: Record<string, unknown> = { ...value }
    const members = Object.keys(record)
      .filter((key) => record[key] !== undefined)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(record[key])}`)
    return `{${members.join(",")}}`
  }
  return JSON.stringify(value) ?? "null"
}

export const sameJson = (left: unknown, right: unknown): boolean =>
  canonicalJson(left) === canonicalJson(right)
