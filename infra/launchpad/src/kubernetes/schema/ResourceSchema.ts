/** Field structure of the kinds: which lists merge by which keys, what is atomic, which defaults keys have. */
import { readFileSync } from "node:fs"

/** `r` names a definition; `p` a struct; `v` a map; `l` a list, with keys `k` when it merges and `m` for strategic merge. */
export type FieldSchema =
  | "string"
  | "integer"
  | "number"
  | "boolean"
  | "any"
  | { readonly r: string }
  | StructSchema
  | { readonly v: FieldSchema }
  | ListSchema

export interface StructSchema {
  readonly p: Readonly<Record<string, FieldSchema>>
  readonly d?: Readonly<Record<string, unknown>>
  readonly q?: ReadonlyArray<string>
  readonly a?: 1
}

export interface ListSchema {
  readonly l: FieldSchema
  readonly k?: "set" | ReadonlyArray<string>
  readonly m?: string
}

type Definitions = Readonly<Record<string, FieldSchema>>

let loaded: Definitions | undefined

const definitions = (): Definitions =>
  (loaded ??= JSON.parse(
    readFileSync(new URL("./generated/kubernetes.json", import.meta.url), "utf8")
  ) as Definitions)

/** Follows references; a name that is not defined is `any`. */
export const resolve = (schema: FieldSchema | undefined): Exclude<FieldSchema, { readonly r: string }> => {
  if (schema === undefined) return "any"
  return typeof schema === "object" && "r" in schema ? resolve(definitions()[schema.r]) : schema
}

/** The structure of a kind; `any` for one without a schema. */
export const ofKind = (kind: string): FieldSchema => (definitions()[kind] === undefined ? "any" : { r: kind })

/** All definitions, for the OpenAPI documents. */
export const all = (): Definitions => definitions()

const findUnknown = (value: unknown, schema: FieldSchema, path: string): string | undefined => {
  const resolved = resolve(schema)
  if (typeof resolved === "string" || value === null || typeof value !== "object") return undefined
  if ("l" in resolved) {
    if (!Array.isArray(value)) return undefined
    for (const item of value) {
      const found = findUnknown(item, resolved.l, path)
      if (found !== undefined) return found
    }
    return undefined
  }
  for (const [key, field] of Object.entries(value)) {
    const child = "v" in resolved ? resolved.v : resolved.p[key]
    if (child === undefined) return `${path}.${key}`
    const found = findUnknown(field, child, `${path}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

/** Path of the first field that the kind does not have. */
export const unknownField = (kind: string, object: unknown): string | undefined =>
  findUnknown(object, ofKind(kind), "")
