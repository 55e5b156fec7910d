/** What a request says an object is, made into an object of its kind, or Kubernetes' complaint about it. Pure. */
import * as Result from "effect/Result"
import type { ApiStatus, StatusCause } from "./ApiStatus.ts"
import type { KubernetesObject, ObjectMeta } from "./ClusterObjects.ts"
import { isObject, type JsonObject, without } from "./JsonValue.ts"
import { apiVersionOf, type ResourceType } from "./kinds/ResourceType.ts"
import * as ResourceSchema from "./schema/ResourceSchema.ts"
import * as TypedContent from "./schema/TypedContent.ts"
import * as Statuses from "./Statuses.ts"

/** What becomes of fields that the kind does not have: refused, left out with a warning, left out. */
export type FieldValidation = "Strict" | "Warn" | "Ignore"

export interface AcceptedContent {
  readonly content: JsonObject
  /** For the caller, one sentence each. */
  readonly warnings: ReadonlyArray<string>
}

const goTypes: Readonly<Record<TypedContent.ContentProblem["expected"], string>> = {
  string: "string",
  integer: "int32",
  number: "float64",
  boolean: "bool",
  bytes: "[]uint8",
  time: "Time",
  quantity: "Quantity",
  intOrString: "IntOrString",
  any: "interface {}",
  list: "slice",
  map: "map"
}

const foundType = (value: unknown): string => {
  if (Array.isArray(value)) return "array"
  return isObject(value) ? "object" : typeof value === "boolean" ? "bool" : typeof value
}

const mistyped = (type: ResourceType, { expected, found, path }: TypedContent.ContentProblem): string => {
  const illegal =
    expected === "bytes" && typeof found === "string" ? TypedContent.illegalByteAt(found) : undefined
  return illegal === undefined
    ? `json: cannot unmarshal ${foundType(found)} into Go struct field ${type.kind}.${path} of type ${goTypes[expected]}`
    : `illegal base64 data at input byte ${illegal}`
}

const mistypedCause = ({ expected, found, path }: TypedContent.ContentProblem): StatusCause => {
  const wanted = expected === "list" ? "array" : expected === "map" ? "object" : expected
  const given = JSON.stringify(foundType(found))
  return {
    reason: "FieldValueTypeInvalid",
    message: `Invalid value: ${given}: ${path} in body must be of type ${wanted}: ${given}`,
    field: path
  }
}

const isOf = (problem: TypedContent.ContentProblem["problem"]) => (found: TypedContent.ContentProblem) =>
  found.problem === problem

/** @errors ApiStatus 400, or 422 for custom kinds, for a value of the wrong type; 400 for an unknown field when `Strict` */
export const accept = (
  type: ResourceType,
  name: string,
  given: JsonObject,
  validation: FieldValidation
): Result.Result<AcceptedContent, ApiStatus> => {
  const { object, problems } = TypedContent.read(given, ResourceSchema.ofKind(type.kind), type.isBuiltIn)
  const wrong = problems.filter(isOf("mistyped"))
  const unknown = problems.filter(isOf("unknown")).map(({ path }) => `unknown field "${path}"`)
  const [first] = wrong
  if (first !== undefined) {
    return Result.fail(
      type.isBuiltIn
        ? Statuses.notHandled(type, mistyped(type, first))
        : Statuses.invalid(type, name, wrong.map(mistypedCause))
    )
  }
  if (validation === "Strict" && unknown.length > 0) {
    const text = `strict decoding error: ${unknown.join(", ")}`
    return Result.fail(type.isBuiltIn ? Statuses.notHandled(type, text) : Statuses.badRequest(text))
  }
  return Result.succeed({ content: object, warnings: validation === "Warn" ? unknown : [] })
}

/** What an apply says, unchanged, unless something in it is not of the kind. */
export const checkApplied = (
  target: Statuses.AppliedTarget,
  applied: JsonObject
): Result.Result<JsonObject, ApiStatus> => {
  const { type } = target
  const { problems } = TypedContent.read(applied, ResourceSchema.ofKind(type.kind), false)
  const [first] = problems
  if (first === undefined) return Result.succeed(applied)
  if (first.problem === "unknown") {
    return Result.fail(Statuses.notTyped(target, `${first.typedPath}: field not declared in schema`))
  }
  const expected =
    first.expected === "integer" || first.expected === "number" ? "numeric (int or float)" : first.expected
  return Result.fail(
    Statuses.notTyped(
      target,
      `${first.typedPath}: expected ${expected}, got ${JSON.stringify(first.found) ?? "null"}`
    )
  )
}

/** In the order in which Kubernetes writes them. */
const assemble = (type: ResourceType, metadata: ObjectMeta, content: JsonObject): JsonObject => {
  const { status, ...rest } = without(content, "apiVersion", "kind", "metadata")
  return {
    kind: type.kind,
    apiVersion: apiVersionOf(type),
    metadata,
    ...rest,
    ...(status === undefined ? {} : { status })
  }
}

const systemFields = [
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
  "selfLink",
  "name",
  "namespace"
]

/** The part of the metadata that is the caller's to write. */
export const callersMetadata = (content: JsonObject): JsonObject =>
  isObject(content["metadata"]) ? without(content["metadata"], ...systemFields) : {}

/** The object that content describes, with every default, before the server's own decisions. */
export const complete = (type: ResourceType, metadata: ObjectMeta, content: JsonObject): KubernetesObject => {
  const schema = ResourceSchema.ofKind(type.kind)
  const typed = TypedContent.read(assemble(type, metadata, content), schema, type.isBuiltIn).object
  const filled = type.isBuiltIn ? typed : TypedContent.withDefaults(typed, schema)
  return type.defaults(isObject(filled) ? filled : {}) as KubernetesObject
}

/** What there is before anything is written: the fields that an object of the kind cannot be without. */
export const blank = (type: ResourceType): JsonObject =>
  TypedContent.read({}, ResourceSchema.ofKind(type.kind), type.isBuiltIn).object
