/** From a file listing to what a build will do: pure. Detectors are asked in the order of `detectors`. */
import * as Result from "effect/Result"
import { ProcessName } from "@starform/domain/ids/Slug"
import type { LineSource } from "@starform/starbase/builds/BuildLog"
import { detectDockerfile } from "./DetectDockerfile.ts"
import { detectNode } from "./DetectNode.ts"
import { detectProcesses } from "./DetectProcesses.ts"
import { detectSite } from "./DetectSite.ts"
import { packageJson, type PackageJson } from "./PackageJson.ts"
import { PlanRefused } from "./PlanRefused.ts"
import { parseProcfile } from "./Procfile.ts"
import type { SourceListing } from "./SourceListing.ts"
import { siteFolderNames, type StartDeclaration } from "./StartCommand.ts"
import { starformSettings, type StarformSettings } from "./StarformSettings.ts"

export interface Note {
  readonly source: LineSource
  readonly text: string
}

export interface InstallPlan {
  readonly command: "ci" | "install"
  /** Development dependencies are there for the build, and pruned after it. */
  readonly includeDev: boolean
  readonly pruneDev: boolean
  /** The installed tree depends on lockfile and versions alone, so that it may be kept. */
  readonly isRepeatable: boolean
}

export interface BuildPlan {
  readonly notes: ReadonlyArray<Note>
  readonly install: InstallPlan | null
  /** Run by npm (`npm run build`) or by a shell. */
  readonly build: ReadonlyArray<string> | null
  readonly start: StartDeclaration
  readonly healthPath: string | null
}

/** What all detectors see. */
export interface Declared {
  readonly source: SourceListing
  readonly settings: StarformSettings
  readonly packageJson: PackageJson | undefined
  readonly hasProcfile: boolean
  /** From `starform.json` and the Procfile. */
  readonly processes: StartDeclaration["processes"]
}

/** A detector's part of the plan; `undefined` leaves the source to the next one. */
export type Detector = (
  declared: Declared
) => Result.Result<Pick<BuildPlan, "notes" | "install" | "build">, PlanRefused> | undefined

const detectors: ReadonlyArray<Detector> = [detectNode, detectProcesses, detectDockerfile, detectSite]

const declaredIn = (source: SourceListing): Result.Result<Declared, PlanRefused> =>
  Result.gen(function* () {
    const settings = yield* starformSettings(source)
    const procfile = source.texts.get("Procfile")
    const processes = new Map(procfile === undefined ? [] : yield* parseProcfile(procfile))
    for (const [name, command] of Object.entries(settings.processes ?? {})) {
      processes.set(ProcessName.make(name), command)
    }
    return {
      source,
      settings,
      packageJson: yield* packageJson(source),
      hasProcfile: procfile !== undefined,
      processes
    }
  })

/** Files of other languages, to say what was found when nothing fits. */
const otherLanguages: Readonly<Record<string, string>> = {
  "requirements.txt": "Python",
  "pyproject.toml": "Python",
  "go.mod": "Go",
  Gemfile: "Ruby",
  "pom.xml": "Java",
  "build.gradle": "Java",
  "Cargo.toml": "Rust",
  "composer.json": "PHP",
  "mix.exs": "Elixir",
  "deno.json": "Deno"
}

const nothingFound = ({ files }: SourceListing): PlanRefused => {
  const looked = `looked for package.json, a process in Procfile or starform.json, Dockerfile, and index.html in ${siteFolderNames}`
  const nested = [...files].find((file) => /^[^/]+\/package\.json$/.test(file))
  const foreign = Object.keys(otherLanguages).find((file) => files.has(file))
  if (nested !== undefined) {
    return new PlanRefused({
      code: "NoDetector",
      reason: `nothing at the root says how to build this: ${looked}; ${nested} is not at the root`,
      advice: "Push the folder that holds the app as the root of a repository, or add a Procfile at the root."
    })
  }
  return new PlanRefused({
    code: "NoDetector",
    reason:
      foreign === undefined
        ? `nothing here says how to build this: ${looked}`
        : `nothing here says how to build this: ${looked}; ${foreign} is there, but this builder does not build ${otherLanguages[foreign]}`,
    advice: "Add a package.json with a start script, or a Procfile with a line such as web: ./server"
  })
}

/** @errors PlanRefused with code SettingsInvalid, SourceInvalid or NoDetector */
export const planBuild = (source: SourceListing): Result.Result<BuildPlan, PlanRefused> =>
  Result.gen(function* () {
    const declared = yield* declaredIn(source)
    for (const detector of detectors) {
      const detected = detector(declared)
      if (detected === undefined) continue
      const part = yield* detected
      return {
        ...part,
        start: {
          processes: declared.processes,
          packageJson: declared.packageJson,
          isBuilt: part.build !== null
        },
        healthPath: declared.settings.health?.path ?? null
      }
    }
    return yield* Result.fail(nothingFound(source))
  })
