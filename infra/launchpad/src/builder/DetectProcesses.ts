/** Processes declared by a Procfile or `starform.json`, and nothing to install: programs that run as they are. */
import * as Result from "effect/Result"
import type { Detector, Note } from "./BuildPlan.ts"
import { shellCommand } from "./ShellCommand.ts"

export const detectProcesses: Detector = ({ source, settings, processes, hasProcfile }) => {
  if (processes.size === 0) return undefined
  const notes: Array<Note> = [
    { source: "notice", text: `processes from ${hasProcfile ? "the Procfile" : "starform.json"}` }
  ]
  if (source.files.has("Dockerfile")) {
    notes.push({
      source: "warning",
      text: "the Dockerfile is not used here: the processes run on the host's base"
    })
  }
  return Result.succeed({
    notes,
    install: null,
    build: settings.build === undefined ? null : shellCommand(settings.build)
  })
}
