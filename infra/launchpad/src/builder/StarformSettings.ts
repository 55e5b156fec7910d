/** `starform.json`: optional, at the root of the source, and strict, so that a slip of the pen is not passed over. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { HealthCheck } from "@starform/domain/model/AppSettings"
import { jsonProblem, schemaProblem } from "./JsonProblem.ts"
import { PlanRefused } from "./PlanRefused.ts"
import { isProcessName, notAProcessName } from "./Procfile.ts"
import type { SourceListing } from "./SourceListing.ts"

const decodeHealthPath = Schema.decodeUnknownResult(HealthCheck.fields.path)

const Command = Schema.String.check(Schema.isPattern(/\S/, { expected: "a command" }))

/** `HealthCheck.path` of the domain, in words of its own. */
const HealthPath = Schema.String.check(
  Schema.makeFilter((path: string) => decodeHealthPath(path)._tag === "Success", {
    expected: "a path that begins with / and has no spaces"
  })
)

export const StarformSettings = Schema.Struct({
  $schema: Schema.optionalKey(Schema.String),
  /** Start commands by process type; win over the Procfile. */
  processes: Schema.optionalKey(Schema.Record(Schema.String, Command)),
  /** Build command; wins over the `build` script of `package.json`. */
  build: Schema.optionalKey(Command),
  health: Schema.optionalKey(Schema.Struct({ path: HealthPath }))
})
export type StarformSettings = typeof StarformSettings.Type

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(StarformSettings), {
  onExcessProperty: "error"
})

const refused = (problem: string) =>
  new PlanRefused({
    code: "SettingsInvalid",
    reason: `starform.json: ${problem}`,
    advice: 'It may have "processes", "build" and "health": {"path"}. All are optional.'
  })

/** Empty settings when there is no such file. */
export const starformSettings = (source: SourceListing): Result.Result<StarformSettings, PlanRefused> => {
  const text = source.texts.get("starform.json")
  if (text === undefined) return Result.succeed({})
  return decode(text).pipe(
    Result.mapError((error) => refused(jsonProblem(text) ?? schemaProblem(error.message))),
    Result.filterOrFail(
      ({ processes = {} }) => Object.keys(processes).every(isProcessName),
      ({ processes = {} }) =>
        refused(notAProcessName(Object.keys(processes).find((name) => !isProcessName(name)) ?? ""))
    )
  )
}
