import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync } from "node:fs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { DataDirectoryUnusable } from "../PostgresErrors.ts"
import { signal } from "./processTable.ts"
import type { PostgresUser } from "../PostgresUser.ts"

/** How a process ended: `exit status 1`, `signal SIGKILL`, or why it could not be executed. */
export interface Ending {
  readonly succeeded: boolean
  readonly description: string
  /** Set when the program was never executed. */
  readonly unexecuted: Error | undefined
}

export interface Spawned {
  readonly child: ChildProcess
  /** Completes once, for every caller, however late it asks. */
  readonly ending: Deferred.Deferred<Ending>
}

/**
 * Starts a program as `user`, in its own session (a terminal's Ctrl-C does not reach it), without our environment,
 * its output appended to `log` (created by this process, mode 0600). Ending it is the caller's duty.
 */
export const spawnAs = (
  user: PostgresUser,
  program: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly log: string }
): Effect.Effect<Spawned, DataDirectoryUnusable> =>
  Effect.try({
    try: () => {
      const log = openSync(options.log, "a", 0o600)
      const child = spawn(program, args, {
        cwd: options.cwd,
        env: { LC_ALL: "C", TZ: "UTC" },
        detached: true,
        stdio: ["ignore", log, log],
        ...(user.switched ? { uid: user.uid, gid: user.gid } : {})
      })
      closeSync(log)
      const ending = Deferred.makeUnsafe<Ending>()
      const end = (value: Ending) => Deferred.doneUnsafe(ending, Effect.succeed(value))
      child.once("error", (unexecuted) =>
        end({ succeeded: false, description: unexecuted.message, unexecuted })
      )
      child.once("exit", (code, signal) =>
        end({
          succeeded: code === 0,
          description: signal === null ? `exit status ${code}` : `signal ${signal}`,
          unexecuted: undefined
        })
      )
      return { child, ending }
    },
    catch: (cause) =>
      new DataDirectoryUnusable({ directory: options.cwd, reason: "its log cannot be written", cause })
  })

/** Ends the program and whatever it started, by force; nothing happens when it has ended already. */
export const endGroup = ({ child }: Spawned): Effect.Effect<void> =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null
    ? Effect.void
    : Effect.asVoid(signal(-child.pid, "SIGKILL"))
