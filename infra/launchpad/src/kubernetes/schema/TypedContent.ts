/**
 * Content of a request as an object of its kind: what the kind does not know is left out and told, what has the wrong type is
 * told, and for built-in kinds absence has one form only, as after a passage through their Go types. Pure.
 */
import { isObject, type JsonObject } from "../JsonValue.ts"
import * as Quantity from "../Quantity.ts"
import {
  type FieldSchema,
  isList,
  isMap,
  isStruct,
  type ListSchema,
  resolve,
  type ResolvedSchema,
  type ScalarName,
  scalarOf,
  type StructSchema
} from "./ResourceSchema.ts"
import { zeroValues } from "./ZeroValues.ts"

export interface ContentProblem {
  readonly problem: "unknown" | "mistyped"
  /** As `spec.template.spec.containers[0].image`. */
  readonly path: string
  /** As server-side apply words it: `.spec.template.spec.containers[name="app"].image`. */
  readonly typedPath: string
  readonly expected: ScalarName | "list" | "map"
  readonly found: unknown
}

export interface TypedContent {
  readonly object: JsonObject
  readonly problems: ReadonlyArray<ContentProblem>
}

interface Place {
  readonly path: string
  readonly typedPath: string
}

interface Walk {
  /** Whether the kind is built in; others keep what they are given. */
  readonly isBuiltIn: boolean
  readonly problems: Array<ContentProblem>
}

/** Where base64 stops being base64; line ends are allowed. */
export const illegalByteAt = (text: string): number | undefined => {
  const at = text.search(/[^A-Za-z0-9+/=\r\n]|=[^=\r\n]/)
  if (at !== -1) return at
  const length = text.replace(/[\r\n]/g, "").length
  return length % 4 === 0 && !/={3,}$/.test(text) ? undefined : length - (length % 4)
}

const isScalar = (value: unknown, scalar: ScalarName): boolean => {
  switch (scalar) {
    case "any":
      return true
    case "integer":
      return typeof value === "number" && Number.isInteger(value)
    case "quantity":
    case "intOrString":
      return typeof value === "string" || typeof value === "number"
    case "bytes":
      return typeof value === "string" && illegalByteAt(value) === undefined
    case "time":
      return typeof value === "string"
    default:
      return typeof value === scalar
  }
}

const tell = (walk: Walk, place: Place, problem: Omit<ContentProblem, "path" | "typedPath">): void => {
  walk.problems.push({ ...problem, path: place.path.replace(/^\./, ""), typedPath: place.typedPath })
}

const isEmptyCollection = (value: unknown, schema: ResolvedSchema): boolean =>
  isList(schema)
    ? Array.isArray(value) && value.length === 0
    : isMap(schema) && isObject(value) && Object.keys(value).length === 0

/** Fields whose Go tags keep an empty list. */
const keptWhenEmpty = new Set(["endpoints", "ports"])

const structOf = (
  walk: Walk,
  value: JsonObject,
  schema: StructSchema,
  definition: string | undefined,
  place: Place
): JsonObject => {
  const result: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(value)) {
    const here = { path: `${place.path}.${key}`, typedPath: `${place.typedPath}.${key}` }
    const child = schema.p[key]
    if (child === undefined) tell(walk, here, { problem: "unknown", expected: "any", found: field })
    else if (field !== null && field !== undefined) {
      const read = valueOf(walk, field, child, here)
      const isDropped =
        walk.isBuiltIn &&
        !(definition === "EndpointSlice" && keptWhenEmpty.has(key)) &&
        isEmptyCollection(read, resolve(child))
      if (!isDropped && read !== undefined) result[key] = read
    }
  }
  const zeros = walk.isBuiltIn && definition !== undefined ? zeroValues[definition] : undefined
  for (const [key, zero] of Object.entries(zeros ?? {})) {
    const child = schema.p[key]
    if (result[key] !== undefined || child === undefined) continue
    result[key] = isObject(zero) ? valueOf(walk, zero, child, place) : zero
  }
  return result
}

const itemPath = (item: unknown, list: ListSchema, index: number): string => {
  if (list.k === undefined || list.k === "set" || !isObject(item)) return `[${index}]`
  const keys = list.k.filter((key) => item[key] !== undefined)
  return `[${keys.map((key) => `${key}=${JSON.stringify(item[key])}`).join(",")}]`
}

const valueOf = (walk: Walk, value: unknown, schema: FieldSchema, place: Place): unknown => {
  const definition = typeof schema === "object" && "r" in schema ? schema.r : undefined
  const resolved = resolve(schema)
  const scalar = scalarOf(resolved)
  if (scalar !== undefined) {
    if (!isScalar(value, scalar)) tell(walk, place, { problem: "mistyped", expected: scalar, found: value })
    return walk.isBuiltIn && scalar === "quantity" ? Quantity.canonical(value) : value
  }
  if (isList(resolved)) {
    if (Array.isArray(value)) {
      return value.map((item, index) =>
        valueOf(walk, item, resolved.l, {
          path: `${place.path}[${index}]`,
          typedPath: `${place.typedPath}${itemPath(item, resolved, index)}`
        })
      )
    }
    tell(walk, place, { problem: "mistyped", expected: "list", found: value })
    return undefined
  }
  if (!isObject(value)) {
    tell(walk, place, { problem: "mistyped", expected: "map", found: value })
    return undefined
  }
  if (isStruct(resolved)) return structOf(walk, value, resolved, definition, place)
  if (!isMap(resolved)) return value
  const result: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(value)) {
    if (field === null || field === undefined) continue
    const here = { path: `${place.path}.${key}`, typedPath: `${place.typedPath}.${key}` }
    result[key] = valueOf(walk, field, resolved.v, here)
  }
  return result
}

export const read = (content: JsonObject, schema: FieldSchema, isBuiltIn: boolean): TypedContent => {
  const walk: Walk = { isBuiltIn, problems: [] }
  const object = valueOf(walk, content, schema, { path: "", typedPath: "" })
  return { object: isObject(object) ? object : {}, problems: walk.problems }
}

/** Fills in the defaults that the structure declares, at every level. */
export const withDefaults = (value: unknown, schema: FieldSchema): unknown => {
  const resolved = resolve(schema)
  if (isList(resolved) && Array.isArray(value)) {
    return value.map((item) => withDefaults(item, resolved.l))
  }
  if (isMap(resolved) && isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, field]) => [key, withDefaults(field, resolved.v)])
    )
  }
  if (!isStruct(resolved) || !isObject(value)) return value
  const result: Record<string, unknown> = { ...value }
  for (const [key, fallback] of Object.entries(resolved.d ?? {})) result[key] ??= fallback
  for (const [key, field] of Object.entries(result)) {
    const child = resolved.p[key]
    if (child !== undefined) result[key] = withDefaults(field, child)
  }
  return result
}
