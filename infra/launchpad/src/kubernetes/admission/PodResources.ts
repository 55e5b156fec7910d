/** What a pod asks for, container by container and as a whole. Pure. */
import { isObject, type JsonObject } from "../JsonValue.ts"
import { at, objectsAt, text } from "../kinds/TableColumn.ts"
import * as Quantity from "../Quantity.ts"

export type Amounts = Readonly<Record<string, bigint>>

export type Part = "requests" | "limits"

export const partOf = (container: JsonObject, part: Part): JsonObject => {
  const value = at(container, "resources", part)
  return isObject(value) ? value : {}
}

export const nameOf = (container: JsonObject): string => text(container["name"], "")

export const containersOf = (spec: unknown): ReadonlyArray<JsonObject> => objectsAt(spec, "containers")

export const initContainersOf = (spec: unknown): ReadonlyArray<JsonObject> =>
  objectsAt(spec, "initContainers")

const amountsOf = (container: JsonObject, part: Part): Amounts =>
  Object.fromEntries(
    Object.entries(partOf(container, part)).map(([name, value]) => [name, Quantity.amountOf(value)])
  )

export const combine = (a: Amounts, b: Amounts, f: (x: bigint, y: bigint) => bigint): Amounts =>
  Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((name) => [
      name,
      f(a[name] ?? 0n, b[name] ?? 0n)
    ])
  )

export const sum = (a: Amounts, b: Amounts): Amounts => combine(a, b, (x, y) => x + y)

const greatest = (a: Amounts, b: Amounts): Amounts => combine(a, b, (x, y) => (x > y ? x : y))

/** Containers run together, init containers before them and one at a time. */
export const total = (spec: unknown, part: Part): Amounts =>
  initContainersOf(spec)
    .map((container) => amountsOf(container, part))
    .reduce(
      greatest,
      containersOf(spec)
        .map((container) => amountsOf(container, part))
        .reduce(sum, {})
    )
