/**
 * `Procfile`: one process type per line, `<name>: <command>`.
 *
 * @source the format as Heroku and Foreman read it; empty lines and lines that begin with # are passed over
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { ProcessName } from "@starform/domain/ids/Slug"
import { PlanRefused } from "./PlanRefused.ts"

const decodeName = Schema.decodeUnknownOption(ProcessName)

export const isProcessName = (name: string): boolean => Option.isSome(decodeName(name))

export const notAProcessName = (name: string): string =>
  `"${name}" is no process name; use 1–20 lower-case letters, digits and hyphens`

/** Commands by process type, in the file's order. */
export const parseProcfile = (text: string): Result.Result<ReadonlyMap<ProcessName, string>, PlanRefused> => {
  const processes = new Map<ProcessName, string>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.trimStart().startsWith("#")) continue
    const refuse = (problem: string) =>
      Result.fail(
        new PlanRefused({
          code: "SettingsInvalid",
          reason: `Procfile line ${index + 1}: ${problem}`,
          advice: "Write one process per line, for example: web: node server.js"
        })
      )
    const match = /^\s*([^:\s]+)\s*:\s*(.*?)\s*$/.exec(line)
    if (match === null) return refuse("expected <name>: <command>")
    const [, written = "", command = ""] = match
    const name = decodeName(written)
    if (Option.isNone(name)) {
      return refuse(notAProcessName(written))
    }
    if (command === "") return refuse(`"${written}" has no command`)
    if (processes.has(name.value)) return refuse(`"${written}" is there twice`)
    processes.set(name.value, command)
  }
  return Result.succeed(processes)
}
