/** JSON Patch with all of its operations; Effect's own knows no `test`, `move` and `copy`. Pure. @source RFC 6902 */
import * as Result from "effect/Result"
import { equal, isObject } from "../JsonValue.ts"

/** Operations in one patch. @source the API server's own limit */
const operationsMax = 10_000

type Outcome = Result.Result<unknown, string>

/** The steps of a JSON Pointer; `undefined` for text that is none. @source RFC 6901 */
const stepsOf = (pointer: unknown): ReadonlyArray<string> | undefined => {
  if (typeof pointer !== "string") return undefined
  if (pointer === "") return []
  return pointer.startsWith("/")
    ? pointer
        .slice(1)
        .split("/")
        .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    : undefined
}

const absent = (step: string): Outcome => Result.fail(`nothing at "${step}"`)

/** The index that a step names in a list of this length; `-` is behind its end. */
const indexOf = (step: string, length: number): number | undefined => {
  if (step === "-") return length
  return /^(0|[1-9]\d*)$/.test(step) ? Number(step) : undefined
}

const valueAt = (value: unknown, steps: ReadonlyArray<string>): Outcome => {
  let current = value
  for (const step of steps) {
    const index = Array.isArray(current) ? indexOf(step, current.length) : undefined
    if (Array.isArray(current) && index !== undefined && index < current.length) current = current[index]
    else if (isObject(current) && Object.hasOwn(current, step)) current = current[step]
    else return absent(step)
  }
  return Result.succeed(current)
}

type Edit = { readonly kind: "add" | "replace"; readonly value: unknown } | { readonly kind: "remove" }

const editList = (list: ReadonlyArray<unknown>, step: string, edit: Edit): Outcome => {
  const index = indexOf(step, list.length)
  const last = edit.kind === "add" ? list.length : list.length - 1
  if (index === undefined || index > last) return absent(step)
  return Result.succeed(
    edit.kind === "remove"
      ? list.toSpliced(index, 1)
      : list.toSpliced(index, edit.kind === "add" ? 0 : 1, edit.value)
  )
}

const edited = (value: unknown, steps: ReadonlyArray<string>, edit: Edit): Outcome => {
  const [step, ...rest] = steps
  if (step === undefined) return Result.succeed(edit.kind === "remove" ? null : edit.value)
  if (rest.length > 0) {
    return Result.flatMap(valueAt(value, [step]), (child) =>
      Result.flatMap(edited(child, rest, edit), (next) =>
        edited(value, [step], { kind: "replace", value: next })
      )
    )
  }
  if (Array.isArray(value)) return editList(value, step, edit)
  if (!isObject(value)) return absent(step)
  if (edit.kind === "add") return Result.succeed({ ...value, [step]: edit.value })
  if (!Object.hasOwn(value, step)) return absent(step)
  if (edit.kind === "replace") return Result.succeed({ ...value, [step]: edit.value })
  const { [step]: _, ...others } = value
  return Result.succeed(others)
}

const perform = (target: unknown, operation: unknown): Outcome => {
  if (!isObject(operation)) return Result.fail("an operation is an object")
  const { op, path, from, value } = operation
  const to = stepsOf(path)
  if (to === undefined) return Result.fail("an operation has a path")
  const source = stepsOf(from)
  switch (op) {
    case "add":
    case "replace":
      return edited(target, to, { kind: op, value })
    case "remove":
      return edited(target, to, { kind: "remove" })
    case "test":
      return Result.flatMap(valueAt(target, to), (found): Outcome =>
        equal(found, value) ? Result.succeed(target) : Result.fail(`another value at "${String(path)}"`)
      )
    case "copy":
    case "move": {
      if (source === undefined) return Result.fail(`${op} has a from`)
      return Result.flatMap(valueAt(target, source), (found) =>
        Result.flatMap(
          op === "copy" ? Result.succeed(target) : edited(target, source, { kind: "remove" }),
          (rest) => edited(rest, to, { kind: "add", value: found })
        )
      )
    }
    default:
      return Result.fail(`no such operation: ${String(op)}`)
  }
}

/** All operations or none; fails with what is wrong with the first that cannot be performed. */
export const apply = (target: unknown, operations: unknown): Outcome => {
  if (!Array.isArray(operations) || operations.length > operationsMax) {
    return Result.fail(`a patch is a list of at most ${operationsMax} operations`)
  }
  let current: Outcome = Result.succeed(target)
  for (const operation of operations) {
    current = Result.flatMap(current, (value) => perform(value, operation))
  }
  return current
}
