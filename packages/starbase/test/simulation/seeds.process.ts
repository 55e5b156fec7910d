/** A worker of `npm run sim`: seeds `from`, `from + step`, … up to `last`; tells of each, and prints those that fail. */
import * as Evidence from "../invariants/Evidence.ts"
import { violations } from "../invariants/Invariants.ts"
import { type Outcome, type Problem, tell, verdict } from "./Judgement.ts"
import * as Neighbours from "./Neighbours.ts"
import { simulate } from "./Simulation.ts"
import { faults } from "./TenantFaults.ts"

const [from = 1, last = 1, step = 1] = process.argv.slice(2).map(Number)

/** Each tenth seed is also run with a fault of one tenant. */
const delaysOf = (seed: number): ReadonlyArray<Problem> => {
  const fault = faults[(seed / 10) % faults.length]
  if (fault === undefined) return []
  const bystanders = Neighbours.simulate(seed, [fault]).flatMap(({ journeys }) => journeys)
  return violations({ ...Evidence.nothing, bystanders })
}

/** A run that ends by an exception of its own is a failed one. */
const crashed = (seed: number, cause: unknown): Outcome => {
  const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  return {
    seed,
    violations: [{ invariant: "SIM", what }],
    trace: [],
    traceHash: 0,
    late: [],
    tasks: 0,
    virtualMs: 0
  }
}

const outcomeOf = (seed: number): Outcome => {
  try {
    const outcome = simulate(seed)
    return { ...outcome, violations: [...outcome.violations, ...delaysOf(seed)] }
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
