/**
 * Which identifiers of a replay stand for which of the recording, and how two answers differ but for them. What is allowed
 * to differ is listed in `../README.md`.
 */
import { isObject } from "@starform/launchpad/kubernetes/JsonValue"

interface Version {
  readonly recorded: number
  readonly actual: number
  /** Of one object, as opposed to a list's or a bookmark's, which only must not run backwards. */
  readonly isObject: boolean
}

export interface Correspondence {
  readonly pairs: Map<string, string>
  readonly versions: Array<Version>
}

export const make = (): Correspondence => ({ pairs: new Map(), versions: [] })

/** A recorded request with the identifiers of this run. */
export const translate = (known: Correspondence, text: string): string => {
  let result = text
  for (const [recorded, actual] of known.pairs) result = result.replaceAll(recorded, actual)
  return result.replace(
    /(resourceVersion["\\]*[=:]\s*["\\]*)(\d+)/g,
    (whole, before: string, digits: string) => {
      const version = known.versions.findLast(({ recorded }) => recorded === Number(digits))
      return version === undefined ? whole : `${before}${version.actual}`
    }
  )
}

const timeKeys = new Set([
  "creationTimestamp",
  "deletionTimestamp",
  "time",
  "lastTransitionTime",
  "lastUpdateTime"
])
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
const age = /^(\d+[smhdy])+$/
/** A local cluster has no virtual addresses. */
const addressKeys = new Set(["clusterIP", "clusterIPs"])
const wording = (text: string): string =>
  text.replace(/current: \d+/, "current: N").replace(/\?hash=[0-9A-F]+$/, "?hash=H")

/** A recorded identifier is always the same one of ours; `isUnique` when no two of them may be one here. */
const pair = (
  known: Correspondence,
  recorded: string,
  actual: string,
  path: string,
  isUnique = true
): ReadonlyArray<string> => {
  const before = known.pairs.get(recorded)
  if (before === undefined) {
    const isTaken = [...known.pairs.values()].includes(actual)
    if (isUnique && isTaken && recorded !== actual)
      return [`${path}: ${actual} stands for something else already`]
    known.pairs.set(recorded, actual)
    return []
  }
  return before === actual ? [] : [`${path}: was ${before} before, is ${actual}`]
}

const compareVersions = (
  known: Correspondence,
  recorded: string,
  actual: unknown,
  path: string,
  isObjects: boolean
): ReadonlyArray<string> => {
  if (typeof actual !== "string" || !/^\d+$/.test(actual)) return [`${path}: no version: ${String(actual)}`]
  const now: Version = { recorded: Number(recorded), actual: Number(actual), isObject: isObjects }
  const wrong = known.versions.find((past) => {
    if (past.isObject && now.isObject) {
      return Math.sign(past.recorded - now.recorded) !== Math.sign(past.actual - now.actual)
    }
    return Math.sign(past.recorded - now.recorded) * Math.sign(past.actual - now.actual) < 0
  })
  if (wrong === undefined) known.versions.push(now)
  return wrong === undefined
    ? []
    : [`${path}: ${recorded} is ${actual}, but ${wrong.recorded} was ${wrong.actual}`]
}

const show = (value: unknown): string => JSON.stringify(value)?.slice(0, 400) ?? "nothing"

const compareObjects = (
  known: Correspondence,
  recorded: Readonly<Record<string, unknown>>,
  actual: Readonly<Record<string, unknown>>,
  path: string
): ReadonlyArray<string> => {
  const wanted = Object.entries(recorded).map(([key, value]) => [translate(known, key), value] as const)
  const names = new Set(wanted.map(([key]) => key))
  const extra = Object.keys(actual).filter((key) => !names.has(key))
  const isOneObjects = recorded["uid"] !== undefined
  return [
    ...extra.map((key) => `${path}.${key}: not recorded: ${show(actual[key])}`),
    ...wanted.flatMap(([key, value]) => {
      const here = `${path}.${key}`
      const found = actual[key]
      if (found === undefined) return [`${here}: missing, recorded ${show(value)}`]
      if (addressKeys.has(key)) return []
      if (key === "resourceVersion" && typeof value === "string") {
        return compareVersions(known, value, found, here, isOneObjects)
      }
      if ((key === "uid" || key === "continue") && typeof value === "string" && typeof found === "string") {
        return pair(known, value, found, here, key === "uid")
      }
      if (timeKeys.has(key) && typeof value === "string" && typeof found === "string" && time.test(value)) {
        return value === found || (time.test(found) && !value.startsWith("2026-01-01"))
          ? []
          : [`${here}: ${found}, recorded ${value}`]
      }
      return compare(known, value, found, here)
    })
  ]
}

/** Every difference, as a line; and remembers which identifier stands for which. */
export const compare = (
  known: Correspondence,
  recorded: unknown,
  actual: unknown,
  path: string
): ReadonlyArray<string> => {
  if (Array.isArray(recorded) && Array.isArray(actual)) {
    if (recorded.length !== actual.length) {
      return [
        `${path}: ${actual.length} items, recorded ${recorded.length}: ${show(actual)} / ${show(recorded)}`
      ]
    }
    return recorded.flatMap((item, index) => compare(known, item, actual[index], `${path}[${index}]`))
  }
  if (isObject(recorded) && isObject(actual)) return compareObjects(known, recorded, actual, path)
  if (typeof recorded === "string" && typeof actual === "string") {
    if (/\.cells\[\d+\]$/.test(path) && age.test(recorded) && age.test(actual)) return []
    const wanted = wording(translate(known, recorded))
    return wanted === wording(actual) ? [] : [`${path}: ${show(actual)}, recorded ${show(wanted)}`]
  }
  return recorded === actual ? [] : [`${path}: ${show(actual)}, recorded ${show(recorded)}`]
}

/** Headers that were recorded; of an entity tag only that it is the same for the same. */
export const compareHeaders = (
  known: Correspondence,
  recorded: Readonly<Record<string, string>>,
  actual: Readonly<Record<string, string | undefined>>
): ReadonlyArray<string> =>
  Object.entries(recorded).flatMap(([name, value]) => {
    const found = actual[name]
    if (found === undefined) return [`header ${name}: missing, recorded ${value}`]
    if (name === "etag") {
      return pair(known, value.replaceAll('"', ""), found.replaceAll('"', ""), "header etag")
    }
    return found === value ? [] : [`header ${name}: ${found}, recorded ${value}`]
  })
