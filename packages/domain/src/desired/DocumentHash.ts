/**
 * The text whose SHA-256 is a document's hash. Both sides build it from their own copy, so a delta that was
 * applied to the wrong base shows. Hashing itself is left to the caller: this package has no platform.
 */
import * as Schema from "effect/Schema"
import { DesiredApp, type ClusterConfig, type Tombstone } from "./DesiredState.ts"

// An agent hashes every object that it writes and every answer: no arrays are made on the way.
const canonical = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  let text = ""
  if (Array.isArray(value)) {
    for (const item of value) text += text === "" ? canonical(item) : `,${canonical(item)}`
    return `[${text}]`
  }
  const fields = value as Readonly<Record<string, unknown>>
  for (const key of Object.keys(fields).sort()) {
    const field = fields[key]
    if (field === undefined) continue
    text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${canonical(field)}`
  }
  return `{${text}}`
}

/** JSON with sorted keys and no white space: equal values have equal text. */
export const canonicalJson = canonical

const encodeApp = Schema.encodeSync(DesiredApp)

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whatever has a version is a variable, wherever it is: a version stands for its value. */
const withoutValues = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutValues)
  if (!isRecord(value)) return value
  const fields = Object.entries(value).map(([key, field]) => [key, withoutValues(field)] as const)
  return { ...Object.fromEntries(fields), ...("value" in value && "version" in value ? { value: "" } : {}) }
}

/**
 * Text to hash for one app's entry as it came over the wire, understood or not: an agent verifies also what it is too
 * old to run. A variable's version stands for its value, so that whoever holds only ciphertext computes the same hash
 * as whoever holds the clear document.
 */
export const entryHashInput = (entry: unknown): string => canonical(withoutValues(entry))

/** The same for an app that is understood. */
export const appHashInput = (app: DesiredApp): string => entryHashInput(encodeApp(app))

/**
 * Text to hash for a document, from the hashes of its apps, so that one changed app costs one app's hashing.
 *
 * @param apps hash of each app by app id, in any order
 */
export const documentHashInput = (
  apps: Iterable<readonly [appId: string, hash: string]>,
  tombstones: ReadonlyArray<Tombstone>,
  config: ClusterConfig
): string => {
  const lines = Array.from(apps, ([appId, hash]) => `app ${appId} ${hash}`)
  for (const tombstone of tombstones) lines.push(`tombstone ${tombstone.appId} ${tombstone.ordinal}`)
  lines.sort()
  lines.push(`config ${canonical(config)}`)
  return lines.join("\n")
}
