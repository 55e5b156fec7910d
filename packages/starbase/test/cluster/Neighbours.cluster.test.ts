/** What one tenant's faults are to the others: nothing. Time is real, so the order of events is what is judged. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Evidence from "../invariants/Evidence.ts"
import { violations } from "../invariants/Invariants.ts"
import { layer, underLoad } from "./FaultWorld.ts"
import * as TenantFaults from "./TenantFaults.ts"

const timeout = 120_000

/**
 * How many times more everything that goes on is acknowledged, and a push ends, in each round. What was under way when the
 * fault began counts for nothing.
 */
const rounds = [2, 1]

/** When a round is called stuck: long before the test is. */
const patience = "25 seconds"

it.layer(layer("is checked"), { timeout, excludeTestServices: true })("Tenants beside a faulty one", (it) => {
  it.effect(
    "INV-ACT-7 go on, and their pushes end, while its builds, apps, effects and asks are stuck",
    () =>
      underLoad(({ databaseUrl, victim, others, load, tenants: [host] }) =>
        Effect.gen(function* () {
          const faults = yield* TenantFaults.make(databaseUrl, [...others, victim], host!)
          for (const { name, begin, lasts } of faults) {
            yield* begin
            for (const [round, times] of rounds.entries()) {
              const ended = yield* Effect.timeoutOption(load.progress(times), patience)
              // A fault that was over proves nothing.
              assert.isTrue(yield* lasts, `it no longer lasts that ${name}`)
              const journey: Evidence.BystandersJourney = {
                tenant: "each of two tenants",
                what: `round ${round + 1} of commands and a push`,
                fault: name,
                judged: { endedInFault: ended._tag === "Some" }
              }
              assert.deepStrictEqual(violations({ ...Evidence.nothing, bystanders: [journey] }), [])
            }
          }
        }).pipe(Effect.scoped)
      ),
    timeout
  )
})
