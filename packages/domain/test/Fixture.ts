/** Golden fixtures: JSON that was stored or sent once and must be readable, and written the same, for ever. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { assert } from "@effect/vitest"
import { Schema } from "effect"

const folder = new URL("fixtures/", import.meta.url)

export const names: ReadonlyArray<string> = readdirSync(folder)

export const read = (name: string, version = "v1"): unknown => {
  const file = new URL(`${name}/${version}.json`, folder)
  assert.isTrue(existsSync(file), `no fixture test/fixtures/${name}/${version}.json`)
  return JSON.parse(readFileSync(file, "utf8"))
}

/** What was sent later beside `v1`: the same type with fields that it had not then. */
export const later = (name: string): ReadonlyArray<unknown> =>
  readdirSync(new URL(`${name}/`, folder))
    .filter((file) => file !== "v1.json")
    .map((file) => JSON.parse(readFileSync(new URL(`${name}/${file}`, folder), "utf8")) as unknown)

/** Decodes as the other side of a wire does, and gives back what it would send. */
export const through = (schema: Schema.Top, json: unknown): unknown => {
  const codec = Schema.toCodecJson(schema as Schema.Codec<unknown, unknown>)
  const decoded = Schema.decodeUnknownSync(codec, { onExcessProperty: "error" })(json)
  return JSON.parse(JSON.stringify(Schema.encodeSync(codec)(decoded)))
}
