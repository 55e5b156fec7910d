/** `npm run sim -- --seeds N --from S`: the deterministic simulation of Starbase, seed after seed, over all cores. */
import { fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bootstrap, fail, root } from "./bootstrap.mjs"

const program = join(root, "packages", "starbase", "test", "simulation", "seeds.process.ts")
const usage = "npm run sim -- [--seeds N] [--from S] [--workers N]"

const numberOf = (args, name, otherwise) => {
  const at = args.indexOf(`--${name}`)
  if (at < 0) return otherwise
  const value = Number(args[at + 1])
  if (!Number.isSafeInteger(value) || value < 1) fail(usage)
  return value
}

/** Every worker takes each n-th seed, prints what failed, and answers which did; -1 is the worker itself. */
const runWorker = (from, seeds, step) =>
  new Promise((resolve) => {
    const child = fork(program, [String(from), String(seeds), String(step)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"]
    })
    let answer = { failed: [-1], late: [] }
    child.on("message", (message) => {
      answer = message
    })
    child.on("exit", () => resolve(answer))
  })

await bootstrap(fileURLToPath(import.meta.url))
const args = process.argv.slice(2)
const seeds = numberOf(args, "seeds", 300)
const from = numberOf(args, "from", 1)
const workers = Math.min(seeds, numberOf(args, "workers", availableParallelism()))
const startedAt = process.hrtime.bigint()
const answers = await Promise.all(
  Array.from({ length: workers }, (_, n) => runWorker(from + n, from + seeds - 1, workers))
)
const failed = answers.flatMap(({ failed }) => failed).sort((a, b) => a - b)
const late = answers.flatMap(({ late }) => late)
for (const what of late) process.stdout.write(`ended by the watch alone: ${what}\n`)
const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9
process.stdout.write(
  `${seeds} seeds from ${from}: ${failed.length} failed${failed.length === 0 ? "" : ` (${failed.join(", ")})`}, ${seconds.toFixed(0)} s\n`
)
process.exitCode = failed.length === 0 ? 0 : 1
