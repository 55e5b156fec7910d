/**
 * `npm run check`: every gate in turn, cheapest first; all of them run, whatever fails. Exit status 1 when one fails.
 * `runChecks` is also the first half of `npm test`.
 */
import { fileURLToPath } from "node:url"
import { bootstrap, interrupted, runToEnd } from "./bootstrap.mjs"

const gates = [
  ["types and Effect diagnostics", "tsc", ["-b"]],
  ["lint", "oxlint", []],
  ["format", "oxfmt", ["--check"]],
  ["unused code and dependencies", "knip", ["--no-progress"]],
  ["repository rules", process.execPath, ["scripts/repository.ts"]],
  ["every gate still catches its violation", process.execPath, ["scripts/gates.selftest.ts"]]
]

/** Names of the gates that failed. */
export const runChecks = async () => {
  const failed = []
  for (const [name, command, args] of gates) {
    const started = Date.now()
    process.stdout.write(`── ${name}\n`)
    const status = await runToEnd(command, args)
    const seconds = ((Date.now() - started) / 1_000).toFixed(1)
    process.stdout.write(status === 0 ? `   passed (${seconds} s)\n` : `   FAILED (${seconds} s)\n`)
    if (status !== 0) failed.push(name)
    if (interrupted() !== undefined) process.exit(interrupted())
  }
  return failed
}

const script = fileURLToPath(import.meta.url)
if (process.argv[1] === script) {
  await bootstrap(script)
  const failed = await runChecks()
  process.stdout.write(failed.length === 0 ? "All gates passed\n" : `Failed: ${failed.join(", ")}\n`)
  process.exit(failed.length === 0 ? 0 : 1)
}
