/** `starform.json`: optional, at the root of the source, and strict, so that a slip of the pen is not passed over. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { HealthCheck } from "@starform/domain/model/AppSettings"
import { ProcessName } from "@starform/domain/ids/Slug"
import { PlanRefused } from "./PlanRefused.ts"
import type { SourceListing } from "./SourceListing.ts"

const Command = Schema.String.check(Schema.isPattern(/\S/))

export const StarformSettings = Schema.Struct({
  $schema: Schema.optionalKey(Schema.String),
  /** Start commands by process type; win over the Procfile. */
  processes: Schema.optionalKey(Schema.Record(ProcessName, Command)),
  /** Build command; wins over the `build` script of `package.json`. */
  build: Schema.optionalKey(Command),
  health: Schema.optionalKey(Schema.Struct({ path: HealthCheck.fields.path }))
})
export type StarformSettings = typeof StarformSettings.Type

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(StarformSettings), {
  onExcessProperty: "error"
})

/** `at ["a"]["b"]` of a schema error as `a.b`, on one line. */
const onOneLine = (message: string): string => {
  const [problem = "", at = ""] = message.split("\n")
  const place = [...at.matchAll(/\["?([^\]"]+)"?\]/g)].map(([, key]) => key).join(".")
  const words = problem
    .replace("Expected no excess property", "is not a setting")
    .replace(/^Expected/, "expected")
  return place === "" ? words : `${place}: ${words}`
}

/** Empty settings when there is no such file. */
export const starformSettings = (source: SourceListing): Result.Result<StarformSettings, PlanRefused> => {
  const text = source.texts.get("starform.json")
  if (text === undefined) return Result.succeed({})
  return Result.mapError(
    decode(text),
    (error) =>
      new PlanRefused({
        code: "SettingsInvalid",
        reason: `starform.json: ${onOneLine(error.message)}`,
        advice: 'It may have "processes", "build" and "health": {"path"}. All are optional.'
      })
  )
}
