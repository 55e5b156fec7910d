/**
 * Ends the database server when this process is gone without a word: a shell that reads from a pipe which only this
 * process holds open. The server's other end is the scope's, in order.
 */
import { spawn } from "node:child_process"
import * as Effect from "effect/Effect"

/** The others lose the launcher too, and end without the database's errors if it outlives them. SIGINT is its fast shutdown. */
const script = 'read -r _; sleep 2; kill -INT "$1"'

/** Watches over the server until the scope closes. */
export const watch = (pid: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const guard = spawn("/bin/sh", ["-c", script, "starform-guard", String(pid)], {
        stdio: ["pipe", "ignore", "ignore"],
        detached: true,
        env: {}
      })
      guard.once("error", () => undefined)
      guard.stdin.on("error", () => undefined)
      return guard
    }),
    (guard) => Effect.sync(() => void guard.kill("SIGKILL"))
  )
