/** Label and field selectors as in query parameters and in `spec.selector`. Pure. */
import * as Result from "effect/Result"
import { isObject, type JsonObject } from "./JsonValue.ts"
import type { KubernetesObject } from "./ClusterObjects.ts"
import type { ResourceType } from "./kinds/ResourceType.ts"

export type Predicate = (object: KubernetesObject) => boolean

const labelKey = "[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?"
const setRequirement = new RegExp(`^(${labelKey})\\s+(in|notin)\\s+\\(([^)]*)\\)$`)
const equality = new RegExp(`^(${labelKey})\\s*(==|=|!=)\\s*([-A-Za-z0-9_.]*)$`)
const existence = new RegExp(`^(!?)\\s*(${labelKey})$`)

/** Splits at commas that are not inside parentheses. */
const terms = (selector: string): ReadonlyArray<string> =>
  selector
    .split(/,(?![^(]*\))/)
    .map((term) => term.trim())
    .filter((term) => term !== "")

type LabelTest = (labels: Readonly<Record<string, string>>) => boolean

const labelTest = (term: string): LabelTest | undefined => {
  const set = setRequirement.exec(term)
  if (set !== null) {
    const [, key = "", , operator, list = ""] = set
    const values = new Set(list.split(",").map((value) => value.trim()))
    return operator === "in"
      ? (labels) => labels[key] !== undefined && values.has(labels[key])
      : (labels) => labels[key] === undefined || !values.has(labels[key])
  }
  const equal = equality.exec(term)
  if (equal !== null) {
    const [, key = "", , operator, value] = equal
    return operator === "!=" ? (labels) => labels[key] !== value : (labels) => labels[key] === value
  }
  const exists = existence.exec(term)
  if (exists === null) return undefined
  const [, not, key = ""] = exists
  return not === "!" ? (labels) => labels[key] === undefined : (labels) => labels[key] !== undefined
}

/** Fails with Kubernetes' complaint about a selector that cannot be read. */
export const label = (selector: string): Result.Result<Predicate, string> => {
  const tests: Array<LabelTest> = []
  for (const term of terms(selector)) {
    const test = labelTest(term)
    if (test === undefined) {
      return Result.fail(`found '${term}', expected: !, identifier, or 'end of string'`)
    }
    tests.push(test)
  }
  return Result.succeed((object) => tests.every((test) => test(object.metadata.labels ?? {})))
}

const fieldValue = (object: KubernetesObject, path: string): string => {
  const value = path
    .split(".")
    .reduce<unknown>((current, step) => (isObject(current) ? current[step] : undefined), object)
  return value === undefined || value === null ? "" : String(value)
}

/** Fails for a field that the kind cannot be selected by. */
export const field = (type: ResourceType, selector: string): Result.Result<Predicate, string> => {
  const known = ["metadata.name", "metadata.namespace", ...type.selectable]
  const tests: Array<Predicate> = []
  for (const term of terms(selector)) {
    const match = /^([^=!]+?)\s*(==|=|!=)\s*(.*)$/.exec(term)
    const [, path = "", operator, value = ""] = match ?? []
    if (match === null) return Result.fail(`invalid selector: '${term}'; can't understand '${term}'`)
    if (!known.includes(path)) {
      const names = known.map((name) => `"${name}"`).join(", ")
      return Result.fail(`"${path}" is not a known field selector: only ${names}`)
    }
    tests.push((object) => (fieldValue(object, path) === value) === (operator !== "!="))
  }
  return Result.succeed((object) => tests.every((test) => test(object)))
}

/** `matchLabels` and `matchExpressions` of a workload; an empty selector matches everything. */
export const matches = (selector: unknown, labels: Readonly<Record<string, string>>): boolean => {
  if (!isObject(selector)) return false
  const wanted = isObject(selector["matchLabels"]) ? selector["matchLabels"] : {}
  const expressions = Array.isArray(selector["matchExpressions"]) ? selector["matchExpressions"] : []
  return (
    Object.entries(wanted).every(([key, value]) => labels[key] === value) &&
    expressions.every((expression: JsonObject) => {
      const present = labels[String(expression["key"])]
      const values = Array.isArray(expression["values"]) ? expression["values"] : []
      switch (expression["operator"]) {
        case "In":
          return present !== undefined && values.includes(present)
        case "NotIn":
          return present === undefined || !values.includes(present)
        case "Exists":
          return present !== undefined
        case "DoesNotExist":
          return present === undefined
        default:
          return false
      }
    })
  )
}
