/** Changing one field of an object that is otherwise left as it is. */
import * as Predicate from "effect/Predicate"

const write = (target: unknown, path: ReadonlyArray<string>, value: unknown): unknown => {
  const [head, ...rest] = path
  if (head === undefined) {
    return value
  }
  const record: Record<string, unknown> = Predicate.isObject(target) ? { ...target } : {}
  const next = write(record[head], rest, value)
  if (next === undefined) {
    delete record[head]
  } else {
    record[head] = next
  }
  return record
}

/** A copy of `object` with the field at `path` replaced; `undefined` removes it. Never touches apiVersion or kind. */
export const withField = <A extends object>(
  object: A,
  path: readonly [string, ...Array<string>],
  value: unknown
): A => ({ ...object, [path[0]]: write(object[path[0] as keyof A], path.slice(1), value) })
