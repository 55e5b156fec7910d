/** Outcomes of ended builds, one file each (INV-HBL-6). */
import { randomUUID } from "node:crypto"
import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { BuildId } from "@starform/domain/ids/Ids"
import {
  BuildCancelled,
  BuildFailed,
  BuildFailureCode,
  BuilderUnavailable
} from "@starform/starbase/builds/BuildErrors"
import type { BuildStatus } from "@starform/starbase/builds/BuildService"
import { BuildResult } from "@starform/starbase/builds/BuildSpec"
import { errnoOf } from "../images/TreeErrors.ts"
import { foldersOf, HostBuilderConfig } from "./HostBuilderConfig.ts"

export const BuildOutcome = Schema.TaggedUnion({
  Succeeded: { result: BuildResult },
  Failed: {
    code: BuildFailureCode,
    reason: Schema.String,
    advice: Schema.String,
    output: Schema.Array(Schema.String)
  },
  Cancelled: {}
})
export type BuildOutcome = typeof BuildOutcome.Type

export const statusOf = (outcome: BuildOutcome): BuildStatus => {
  switch (outcome._tag) {
    case "Succeeded":
      return { _tag: "Succeeded", result: outcome.result }
    case "Failed":
      return { _tag: "Failed", code: outcome.code, reason: outcome.reason }
    case "Cancelled":
      return { _tag: "Cancelled" }
  }
}

/** As whoever awaits the build hears it. */
export const resultOf = (
  buildId: BuildId,
  outcome: BuildOutcome
): Effect.Effect<BuildResult, BuildFailed | BuildCancelled> => {
  switch (outcome._tag) {
    case "Succeeded":
      return Effect.succeed(outcome.result)
    case "Failed":
      return Effect.fail(
        new BuildFailed({
          buildId,
          code: outcome.code,
          reason: outcome.reason,
          advice: outcome.advice,
          output: outcome.output
        })
      )
    case "Cancelled":
      return Effect.fail(new BuildCancelled({ buildId }))
  }
}

export const outcomeOf = (end: BuildFailed | BuildCancelled): BuildOutcome =>
  end._tag === "BuildCancelled"
    ? { _tag: "Cancelled" }
    : { _tag: "Failed", code: end.code, reason: end.reason, advice: end.advice, output: end.output }

export class BuildOutcomes extends Context.Service<
  BuildOutcomes,
  {
    readonly find: (buildId: BuildId) => Effect.Effect<Option.Option<BuildOutcome>, BuilderUnavailable>
    /** Durable when it succeeds. */
    readonly keep: (buildId: BuildId, outcome: BuildOutcome) => Effect.Effect<void, BuilderUnavailable>
  }
>()("@starform/launchpad/builder/BuildOutcomes") {}

const stored = Schema.fromJsonString(BuildOutcome)
const decode = Schema.decodeUnknownEffect(stored)
const encode = Schema.encodeEffect(stored)

const make = Effect.gen(function* () {
  const { outcomes } = foldersOf(yield* HostBuilderConfig)
  const pathOf = (buildId: BuildId) => join(outcomes, `${buildId}.json`)
  const unavailable = (operation: string) => (cause: unknown) => new BuilderUnavailable({ operation, cause })

  const find: BuildOutcomes["Service"]["find"] = (buildId) =>
    Effect.tryPromise({
      try: () =>
        Fs.readFile(pathOf(buildId), "utf8").catch((cause: unknown) =>
          errnoOf(cause) === "ENOENT" ? undefined : Promise.reject(cause)
        ),
      catch: unavailable("read an outcome")
    }).pipe(
      Effect.flatMap((text) =>
        text === undefined
          ? Effect.succeedNone
          : Effect.mapBoth(decode(text), {
              onFailure: unavailable("read an outcome"),
              onSuccess: Option.some
            })
      )
    )

  const keep: BuildOutcomes["Service"]["keep"] = (buildId, outcome) =>
    encode(outcome).pipe(
      Effect.flatMap((text) =>
        Effect.tryPromise(async () => {
          const partial = join(outcomes, `.${randomUUID()}`)
          await Fs.writeFile(partial, text, { flush: true })
          await Fs.rename(partial, pathOf(buildId))
          const folder = await Fs.open(outcomes, constants.O_RDONLY)
          await folder.sync().finally(() => folder.close())
        })
      ),
      Effect.mapError(unavailable("keep an outcome"))
    )

  return { find, keep }
})

export const layer: Layer.Layer<BuildOutcomes, never, HostBuilderConfig> = Layer.effect(BuildOutcomes, make)
