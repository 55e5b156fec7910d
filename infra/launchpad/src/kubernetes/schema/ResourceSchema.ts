/** Field structure of the kinds: which lists merge by which keys, what is atomic, which defaults and limits fields have. */
import { readFileSync } from "node:fs"

export type ScalarName =
  | "string"
  | "integer"
  | "number"
  | "boolean"
  | "bytes"
  | "time"
  | "quantity"
  | "intOrString"
  | "any"

/** A scalar with limits: `e` its values, `x` its pattern, `n` bounds of its length or, for an integer, of itself. */
export interface ScalarSchema {
  readonly s: "string" | "integer" | "number" | "boolean"
  readonly e?: ReadonlyArray<string | number>
  readonly x?: string
  readonly n?: Bounds
}

/** Either end may be open. */
export type Bounds = readonly [lowest: number | null, highest: number | null]

/** `p` its fields, `d` their defaults, `q` the required ones; `a` when it has one owner as a whole. */
export interface StructSchema {
  readonly p: Readonly<Record<string, FieldSchema>>
  readonly d?: Readonly<Record<string, unknown>>
  readonly q?: ReadonlyArray<string>
  readonly a?: 1
}

/** `v` its values; `a` when it has one owner as a whole. */
export interface MapSchema {
  readonly v: FieldSchema
  readonly a?: 1
  readonly n?: Bounds
}

/** `l` its items; `k` the keys by which they merge on apply, atomic without; `m` the key of strategic merge; `n` its length. */
export interface ListSchema {
  readonly l: FieldSchema
  readonly k?: "set" | ReadonlyArray<string>
  readonly m?: string
  readonly n?: Bounds
}

/** `r` names a definition. */
export interface ReferenceSchema {
  readonly r: string
}

export type ResolvedSchema = ScalarName | ScalarSchema | StructSchema | MapSchema | ListSchema

export type FieldSchema = ResolvedSchema | ReferenceSchema

type Definitions = Readonly<Record<string, FieldSchema>>

let loaded: Definitions | undefined

const definitions = (): Definitions =>
  (loaded ??= JSON.parse(
    readFileSync(new URL("./generated/kubernetes.json", import.meta.url), "utf8")
  ) as Definitions)

/** Follows references; a name that is not defined is `any`. */
export const resolve = (schema: FieldSchema | undefined): ResolvedSchema => {
  let current = schema
  while (typeof current === "object" && "r" in current) current = definitions()[current.r]
  return current ?? "any"
}

/** The structure of a kind; `any` for one without a schema. */
export const ofKind = (kind: string): FieldSchema => (definitions()[kind] === undefined ? "any" : { r: kind })

export const isStruct = (schema: ResolvedSchema): schema is StructSchema =>
  typeof schema === "object" && "p" in schema

export const isMap = (schema: ResolvedSchema): schema is MapSchema =>
  typeof schema === "object" && "v" in schema

export const isList = (schema: ResolvedSchema): schema is ListSchema =>
  typeof schema === "object" && "l" in schema

/** The schema of a field below a struct or a map; `any` below everything else. */
export const childOf = (schema: ResolvedSchema, field: string): FieldSchema => {
  if (typeof schema === "string") return "any"
  if ("p" in schema) return schema.p[field] ?? "any"
  return "v" in schema ? schema.v : "any"
}

/** Whether a struct declares the field; what a map or unstructured content has in it is not declared. */
export const declares = (schema: ResolvedSchema, field: string): boolean =>
  isStruct(schema) && schema.p[field] !== undefined

/** The scalar that a schema stands for; `undefined` for containers. */
export const scalarOf = (schema: ResolvedSchema): ScalarName | undefined => {
  if (typeof schema === "string") return schema
  return "s" in schema ? schema.s : undefined
}
