/**
 * `docs/configuration.md` from the settings' own sources: what a setting means is the comment on its field, its key and
 * its default are what the program reads.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"

interface Setting {
  readonly field: string
  readonly key: string
  readonly isRequired: boolean
  readonly meaning: string
}

/** The comment above each field of an interface, on one line. */
const meaningsIn = (source: string, name: string): ReadonlyMap<string, string> => {
  const body = source.split(`export interface ${name} {`)[1]?.split("\n}")[0] ?? ""
  const meanings = new Map<string, string>()
  const field = /(?:\/\*\*([\s\S]*?)\*\/\s*)?readonly (\w+):/g
  for (const [, comment = "", fieldName = ""] of body.matchAll(field)) {
    meanings.set(fieldName, comment.replaceAll(/\s*\n\s*\*\s*/g, " ").trim())
  }
  return meanings
}

/** Fields and keys in the order in which `Config.all({ … })` reads them. */
const settingsIn = (file: string, interfaceName: string, prefix: string): ReadonlyArray<Setting> => {
  const source = readFileSync(file, "utf8")
  const meanings = meaningsIn(source, interfaceName)
  const body = source.split("Config.all({")[1]?.split(`}).pipe(Config.nested("${prefix}"))`)[0] ?? ""
  return body
    .split(/\n {2}(?=\w+: )/)
    .slice(1)
    .map((entry) => {
      const field = /^\w+/.exec(entry)?.[0] ?? ""
      const key = /"([A-Z][A-Z0-9_]*)"/.exec(entry)?.[1] ?? ""
      const isRequired = !/withDefault|Config\.option|: (duration|count|text)\(/.test(entry)
      return { field, key: `${prefix}_${key}`, isRequired, meaning: meanings.get(field) ?? "" }
    })
}

/** How a program writes durations: short (`30s`) or in words (`30 seconds`). */
const units = {
  short: [
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
    ["ms", 1]
  ],
  words: [
    [" hours", 3_600_000],
    [" minutes", 60_000],
    [" seconds", 1_000],
    [" millis", 1]
  ]
} as const
type Style = keyof typeof units

const sizes: ReadonlyArray<readonly [unit: string, bytes: number]> = [
  ["GiB", 1024 ** 3],
  ["MiB", 1024 ** 2]
]

const shown = (value: unknown, style: Style): string => {
  if (Option.isOption(value)) return Option.isNone(value) ? "none" : shown(value.value, style)
  if (Duration.isDuration(value)) {
    const millis = Duration.toMillis(value)
    const [unit, factor] = units[style].find(([, one]) => millis % one === 0) ?? units[style][3]
    return `\`${millis / factor}${unit}\``
  }
  if (typeof value === "number") {
    const size = sizes.find(([, bytes]) => value >= bytes && value % bytes === 0)
    return size === undefined ? `\`${value}\`` : `\`${value}\` (${value / size[1]} ${size[0]})`
  }
  return value === "" ? "empty" : `\`${String(value)}\``
}

const tableOf = (
  settings: ReadonlyArray<Setting>,
  defaults: Readonly<Record<string, unknown>>,
  style: Style
): string =>
  [
    "| key | default | meaning |",
    "|---|---|---|",
    ...settings.map(
      ({ field, key, isRequired, meaning }) =>
        `| \`${key}\` | ${isRequired ? "**required**" : shown(defaults[field], style)} | ${meaning === "" ? "see the row above" : meaning} |`
    )
  ].join("\n")

const root = join(import.meta.dirname, "../../../..")

const starbase = settingsIn(
  join(root, "packages/starbase/src/StarbaseConfig.ts"),
  "StarbaseSettings",
  "STARBASE"
)
const shuttle = settingsIn(join(root, "packages/shuttle/src/ShuttleConfig.ts"), "Settings", "STARFORM")

/** What Starbase reads when only the required keys are there. */
const starbaseDefaults = Effect.runSync(
  StarbaseConfig.config.parse(
    ConfigProvider.fromEnv({
      env: Object.fromEntries(starbase.filter((one) => one.isRequired).map(({ key }) => [key, "-"]))
    })
  )
)

export const page = `# Configuration

Written from the sources of the settings by the test \`ConfigurationPage\` with \`GOLDEN=write\`; do not edit.
Everything is read from the environment, once, at start. A key that is missing or malformed is named, and the process does
not start. \`npm start\` sets all of this itself.

## Starbase

Durations are written in words: \`500 millis\`, \`30 seconds\`, \`5 minutes\`.

${tableOf(starbase, { ...starbaseDefaults }, "words")}

## Shuttle

Durations are written \`500ms\`, \`30s\`, \`5m\` or \`1h\`.

${tableOf(shuttle, { ...ShuttleConfig.defaults, ...ShuttleConfig.defaultPlaces }, "short")}
`
