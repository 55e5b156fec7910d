import { execFile } from "node:child_process"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"

/** Sends the signal. False when there is no such process, or it is somebody else's. */
export const signal = (pid: number, name: NodeJS.Signals): Effect.Effect<boolean> =>
  Effect.try({ try: () => process.kill(pid, name), catch: () => "refused" as const }).pipe(
    Effect.orElseSucceed(() => false)
  )

/** Output of `ps`, for systems without /proc; empty when the process is gone. */
const ps = (pid: number, column: string): Effect.Effect<string> =>
  Effect.callback((resume) => {
    execFile("ps", ["-ww", "-o", `${column}=`, "-p", String(pid)], (_error, stdout) =>
      resume(Effect.succeed(stdout.trim()))
    )
  })

/** Words of the process's command line; empty when it is gone or has none. */
export const commandLine = Effect.fnUntraced(function* (pid: number) {
  if (process.platform !== "linux") return (yield* ps(pid, "command")).split(" ")
  const fs = yield* FileSystem.FileSystem
  const text = yield* fs.readFileString(`/proc/${pid}/cmdline`).pipe(Effect.orElseSucceed(() => ""))
  return text.split("\0").filter((word) => word !== "")
})

/**
 * Tells this process apart from a later one with the same id; empty when it is gone.
 * @source proc(5): field 22 of `stat` is the start time in ticks; field 2 may hold spaces and parentheses.
 */
export const startMark = Effect.fnUntraced(function* (pid: number) {
  if (process.platform !== "linux") return yield* ps(pid, "lstart")
  const fs = yield* FileSystem.FileSystem
  const text = yield* fs.readFileString(`/proc/${pid}/stat`).pipe(Effect.orElseSucceed(() => ""))
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  return fields[0] === "Z" ? "" : (fields[19] ?? "")
})
