/** What the structure of a kind says about values: required fields, enumerations, and for custom kinds limits. Pure. */
import type { StatusCause } from "../ApiStatus.ts"
import { isObject } from "../JsonValue.ts"
import {
  type Bounds,
  type FieldSchema,
  isList,
  isMap,
  isStruct,
  resolve,
  type ResolvedSchema,
  type ScalarSchema
} from "../schema/ResourceSchema.ts"
import * as FieldRules from "./FieldRules.ts"

const patterns = new Map<string, RegExp>()

const patternOf = (text: string): RegExp => {
  const known = patterns.get(text)
  if (known !== undefined) return known
  const made = new RegExp(text)
  patterns.set(text, made)
  return made
}

const inBody = (field: string, value: unknown, rule: string): StatusCause =>
  FieldRules.invalid(field, value, `${field} in body ${rule}`)

const textLimits = (field: string, value: string, { x, n }: ScalarSchema): ReadonlyArray<StatusCause> => {
  const [lowest, highest] = n ?? [null, null]
  return [
    ...(highest !== null && value.length > highest ? [FieldRules.tooLong(field, highest)] : []),
    ...(lowest !== null && value.length < lowest
      ? [inBody(field, value, `should be at least ${lowest} chars long`)]
      : []),
    ...(x !== undefined && !patternOf(x).test(value) ? [inBody(field, value, `should match '${x}'`)] : [])
  ]
}

const numberLimits = (
  field: string,
  value: number,
  [lowest, highest]: Bounds
): ReadonlyArray<StatusCause> => [
  ...(lowest !== null && value < lowest
    ? [inBody(field, value, `should be greater than or equal to ${lowest}`)]
    : []),
  ...(highest !== null && value > highest
    ? [inBody(field, value, `should be less than or equal to ${highest}`)]
    : [])
]

const countLimits = (
  field: string,
  length: number,
  [lowest, highest]: Bounds,
  things: "items" | "properties"
): ReadonlyArray<StatusCause> => [
  ...(highest !== null && length > highest
    ? [
        {
          reason: "FieldValueTooMany",
          message: `Too many: ${length}: must have at most ${highest} ${things}`,
          field
        }
      ]
    : []),
  ...(lowest !== null && length < lowest
    ? [inBody(field, length, `should have at least ${lowest} ${things}`)]
    : [])
]

const scalarCauses = (value: unknown, schema: ResolvedSchema, field: string): ReadonlyArray<StatusCause> => {
  if (typeof schema === "string" || !("s" in schema)) return []
  if (schema.e !== undefined && !schema.e.some((known) => known === value)) {
    return [FieldRules.unsupported(field, value, schema.e.map(String))]
  }
  if (typeof value === "string") return textLimits(field, value, schema)
  return typeof value === "number" && schema.n !== undefined ? numberLimits(field, value, schema.n) : []
}

const below = (field: string, key: string): string => (field === "" ? key : `${field}.${key}`)

const visit = (
  value: unknown,
  schema: FieldSchema,
  field: string,
  isRequiredChecked: boolean
): ReadonlyArray<StatusCause> => {
  const resolved = resolve(schema)
  if (isList(resolved) && Array.isArray(value)) {
    return [
      ...(resolved.n === undefined ? [] : countLimits(field, value.length, resolved.n, "items")),
      ...value.flatMap((item, index) => visit(item, resolved.l, `${field}[${index}]`, isRequiredChecked))
    ]
  }
  if (isMap(resolved) && isObject(value)) {
    return [
      ...(resolved.n === undefined
        ? []
        : countLimits(field, Object.keys(value).length, resolved.n, "properties")),
      ...Object.entries(value).flatMap(([key, item]) =>
        visit(item, resolved.v, below(field, key), isRequiredChecked)
      )
    ]
  }
  if (!isStruct(resolved) || !isObject(value)) return scalarCauses(value, resolved, field)
  const missing = isRequiredChecked ? (resolved.q ?? []).filter((key) => value[key] === undefined) : []
  return [
    ...Object.entries(value).flatMap(([key, item]) => {
      const child = resolved.p[key]
      return child === undefined ? [] : visit(item, child, below(field, key), isRequiredChecked)
    }),
    ...missing.map((key) => FieldRules.required(below(field, key)))
  ]
}

/** Of a custom kind: everything that its definition says. */
export const ofCustomKind = (value: unknown, schema: FieldSchema): ReadonlyArray<StatusCause> =>
  visit(value, schema, "", true)

/** Of a built-in kind: values that are none of an enumeration's. Required fields are for the kind's own rules. */
export const ofBuiltInKind = (value: unknown, schema: FieldSchema): ReadonlyArray<StatusCause> =>
  visit(value, schema, "", false)
