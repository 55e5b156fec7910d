/** The part of `package.json` that decides how an app is installed, built and started. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { jsonProblem, schemaProblem } from "./JsonProblem.ts"
import { PlanRefused } from "./PlanRefused.ts"
import type { SourceListing } from "./SourceListing.ts"

const Versions = Schema.optionalKey(Schema.Record(Schema.String, Schema.String))

export const PackageJson = Schema.Struct({
  main: Schema.optionalKey(Schema.String),
  scripts: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  dependencies: Versions,
  devDependencies: Versions,
  optionalDependencies: Versions,
  peerDependencies: Versions,
  workspaces: Schema.optionalKey(Schema.Unknown),
  engines: Schema.optionalKey(Schema.Struct({ node: Schema.optionalKey(Schema.String) }))
})
export type PackageJson = typeof PackageJson.Type

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(PackageJson))

/** `undefined` when there is no such file. */
export const packageJson = (source: SourceListing): Result.Result<PackageJson | undefined, PlanRefused> => {
  const text = source.texts.get("package.json")
  if (text === undefined) return Result.succeed(undefined)
  const json = text.replace(/^\uFEFF/, "")
  return Result.mapError(
    decode(json),
    (error) =>
      new PlanRefused({
        code: "SourceInvalid",
        reason: `package.json: ${jsonProblem(json) ?? schemaProblem(error.message)}`,
        advice: "Correct the file; `npm pkg get` shows whether npm can read it."
      })
  )
}

/**
 * Scripts that npm runs by itself during an install of the app, which may read any of its files.
 *
 * @source npm documentation, "scripts", life cycle of `npm ci` and `npm install`
 */
export const lifecycleScripts: ReadonlyArray<string> = [
  "preinstall",
  "install",
  "postinstall",
  "prepublish",
  "preprepare",
  "prepare",
  "postprepare"
]

export const hasLifecycleScript = ({ scripts = {} }: PackageJson): boolean =>
  lifecycleScripts.some((name) => scripts[name] !== undefined)
