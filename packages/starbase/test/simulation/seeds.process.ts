/** A worker of `npm run sim`: seeds `from`, `from + step`, … up to `last`; tells of each, and prints those that fail. */
import { type Outcome, tell, verdict } from "./Judgement.ts"
import { simulate } from "./Simulation.ts"

const [from = 1, last = 1, step = 1] = process.argv.slice(2).map(Number)

const crashed = (seed: number, cause: unknown): Outcome => ({
  seed,
  violations: [
    { invariant: "SIM", what: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }
  ],
  trace: [],
  traceHash: 0,
  late: [],
  tasks: 0,
  virtualMs: 0
})

const outcomeOf = (seed: number): Outcome => {
  try {
    return simulate(seed)
  } catch (cause) {
    return crashed(seed, cause)
  }
}

let isFirst = true
for (let seed = from; seed <= last; seed += step) {
  process.send?.({ begins: seed })
  const outcome = outcomeOf(seed)
  const isFailed = outcome.violations.length > 0
  // All of a trace is for the first: the others can be seen again.
  if (isFailed) process.stdout.write(`\n${isFirst ? tell(outcome) : verdict(outcome)}\n`)
  isFirst &&= !isFailed
  process.send?.({ seed, isFailed, late: outcome.late })
}
