/** A worker of `npm run sim`: seeds `from`, `from + step`, … up to `last`; prints each that fails. */
import * as Evidence from "../invariants/Evidence.ts"
import { violations } from "../invariants/Invariants.ts"
import * as Neighbours from "./Neighbours.ts"
import { simulate, tell } from "./Simulation.ts"
import { faults } from "./TenantFaults.ts"

const [from = 1, last = 1, step = 1] = process.argv.slice(2).map(Number)
/** Each tenth seed is also run with a fault of one tenant. */
const delaysOf = (seed: number): ReadonlyArray<string> => {
  const fault = faults[(seed / 10) % faults.length]
  if (fault === undefined) return []
  const bystanders = Neighbours.simulate(seed, [fault]).flatMap(({ journeys }) => journeys)
  return violations({ ...Evidence.nothing, bystanders }).map(({ invariant, what }) => `${invariant}: ${what}`)
}

const failed: Array<number> = []
const late: Array<string> = []
for (let seed = from; seed <= last; seed += step) {
  const outcome = simulate(seed)
  late.push(...outcome.late.map((what) => `seed ${seed}: ${what}`))
  const delays = delaysOf(seed)
  if (outcome.violations.length === 0 && delays.length === 0) continue
  failed.push(seed)
  if (outcome.violations.length > 0) process.stdout.write(`${tell(outcome)}\n`)
  for (const delay of delays) process.stdout.write(`${delay}\n`)
}
process.send?.({ failed, late })
