/** A worker of `npm run sim`: seeds `from`, `from + step`, … up to `last`; prints each that fails. */
import { simulate, tell } from "./Simulation.ts"

const [from = 1, last = 1, step = 1] = process.argv.slice(2).map(Number)
const failed: Array<number> = []
const late: Array<string> = []
for (let seed = from; seed <= last; seed += step) {
  const outcome = simulate(seed)
  late.push(...outcome.late.map((what) => `seed ${seed}: ${what}`))
  if (outcome.violations.length === 0) continue
  failed.push(seed)
  process.stdout.write(`${tell(outcome)}\n`)
}
process.send?.({ failed, late })
