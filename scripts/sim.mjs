/** `npm run sim -- --seeds N --from S`: the deterministic simulation of Starbase, seed after seed, over all cores. */
import { fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bootstrap, fail, root } from "./bootstrap.mjs"

const program = join(root, "packages", "starbase", "test", "simulation", "seeds.process.ts")
const usage = "npm run sim -- [--seeds N] [--from S] [--workers N]"

/** Between two lines of progress. */
const progressMilliseconds = 10_000

/** A seed takes a second at most; one that takes this long does not end. */
const seedMillisecondsMax = 300_000

const numberOf = (args, name, otherwise) => {
  const at = args.indexOf(`--${name}`)
  if (at < 0) return otherwise
  const value = Number(args[at + 1])
  if (!Number.isSafeInteger(value) || value < 1) fail(usage)
  return value
}

const now = () => Number(process.hrtime.bigint() / 1_000_000n)

/** What all workers have told. */
const told = { done: 0, failed: [], late: [] }

const failSeed = (seed, problem) => {
  told.failed.push(seed)
  process.stdout.write(`\nseed ${seed} ${problem}; again: npm run sim -- --seeds 1 --from ${seed}\n`)
}

/** A worker takes each n-th seed. One that ends or does not end is replaced after the seed that it had. */
const runWorker = (from, last, step) =>
  new Promise((resolve) => {
    let current = from
    let beganAt = now()
    let problem = "ended its process"
    const child = fork(program, [String(from), String(last), String(step)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"]
    })
    const watch = setInterval(() => {
      if (now() - beganAt < seedMillisecondsMax) return
      problem = `did not end within ${seedMillisecondsMax / 1_000} s`
      child.kill("SIGKILL")
    }, 1_000)
    child.on("message", ({ begins, seed, isFailed, late }) => {
      if (begins !== undefined) {
        current = begins
        beganAt = now()
        return
      }
      current = seed + step
      told.done++
      if (isFailed) told.failed.push(seed)
      for (const what of late) told.late.push(`seed ${seed}: ${what}`)
    })
    child.on("exit", () => {
      clearInterval(watch)
      if (current > last) return resolve()
      told.done++
      failSeed(current, problem)
      resolve(current + step > last ? undefined : runWorker(current + step, last, step))
    })
  })

await bootstrap(fileURLToPath(import.meta.url))
const args = process.argv.slice(2)
const seeds = numberOf(args, "seeds", 300)
const from = numberOf(args, "from", 1)
const workers = Math.min(seeds, numberOf(args, "workers", availableParallelism()))
const startedAt = now()
const seconds = () => (now() - startedAt) / 1_000
const progress = setInterval(() => {
  const rate = told.done / seconds()
  const left = rate === 0 ? "" : `, about ${Math.ceil((seeds - told.done) / rate / 60)} min left`
  process.stdout.write(
    `${told.done} of ${seeds} seeds, ${told.failed.length} failed, ${rate.toFixed(1)} a second${left}\n`
  )
}, progressMilliseconds)
await Promise.all(Array.from({ length: workers }, (_, n) => runWorker(from + n, from + seeds - 1, workers)))
clearInterval(progress)
for (const what of told.late) process.stdout.write(`ended by the watch alone: ${what}\n`)
const failed = [...told.failed].sort((a, b) => a - b)
process.stdout.write(
  `${seeds} seeds from ${from}: ${failed.length} failed${failed.length === 0 ? "" : ` (${failed.join(", ")})`}, ` +
    `${seconds().toFixed(0)} s, ${(seeds / seconds()).toFixed(1)} a second\n`
)
process.exitCode = failed.length === 0 ? 0 : 1
