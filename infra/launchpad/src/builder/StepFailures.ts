/** A step that did not end well, in words for the person who pushed: pure. */
import * as Duration from "effect/Duration"
import type { BuildFailed, BuildFailureCode } from "@starform/starbase/builds/BuildErrors"
import type { HostBuilderSettings } from "./HostBuilderConfig.ts"
import type { StepFailed } from "./StepProcess.ts"

export type FailureWords = Pick<BuildFailed, "code" | "reason" | "advice">

export const diskFullWords: FailureWords = {
  code: "DiskFull",
  reason: "the disk of the builder is full",
  advice: "Free space on the machine (or ask its operator to), then push again."
}

/** How tools say that a write found no room. */
const noRoom = /ENOSPC|No space left on device|EDQUOT|Disk quota exceeded/i

/** How `npm ci` says that the lockfile was not written for this package.json: in one line, then in one per package. */
const outOfStep =
  /can only install packages when your package\.json|^npm (error|ERR!) (Missing|Invalid): .*lock file/

const lockfileWords = (code: BuildFailureCode): FailureWords => ({
  code,
  reason: "package-lock.json does not match package.json",
  advice: "Run `npm install`, commit package-lock.json and push again."
})

const mebibytes = (bytes: number): string => `${Math.round((bytes / 1024 ** 2) * 10) / 10} MiB`

const adviceOf: Partial<Record<BuildFailureCode, string>> = {
  InstallFailed: "The lines above are npm's own; `npm ci` in a fresh clone should show the same.",
  BuildStepFailed: "The lines above are the command's own; run it in a fresh clone to see the same."
}

/**
 * @param command as a person would type it, e.g. `npm run build`
 * @param code what a plain failure of this step is called
 */
export const stepFailureWords = (
  failed: StepFailed,
  command: string,
  code: BuildFailureCode,
  tail: ReadonlyArray<string>,
  settings: HostBuilderSettings
): FailureWords => {
  switch (failed.end) {
    case "timeout":
      return {
        code: "StepTimedOut",
        reason: `${command} did not end within ${Duration.format(Duration.fromInputUnsafe(settings.stepTimeout))} and was stopped`,
        advice: "A build step must end by itself: servers and watchers belong into the start command."
      }
    case "output":
      return {
        code: "OutputLimit",
        reason: `${command} wrote more than ${mebibytes(settings.outputBytesMax)} or ${settings.outputLinesMax} lines of output and was stopped`,
        advice: "Make the step quieter, for example by a lower log level."
      }
    default:
      if (tail.some((line) => noRoom.test(line))) return diskFullWords
      if (command.startsWith("npm ci") && tail.some((line) => outOfStep.test(line)))
        return lockfileWords(code)
      return {
        code,
        reason:
          failed.signal === null
            ? `${command} ended with status ${failed.exitCode}`
            : `${command} was ended by ${failed.signal}`,
        advice: adviceOf[code] ?? ""
      }
  }
}
