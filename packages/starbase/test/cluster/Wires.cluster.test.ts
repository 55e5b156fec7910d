/** What may happen between runners, while each of them reaches Postgres. */
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { type FaultWire } from "./FaultWire.ts"
import { isFull, layer, underLoad } from "./FaultWorld.ts"

const timeout = 120_000

/** The load goes on while every wire between the victim and the others has the fault. */
const whileEveryWire = (fault: (wire: FaultWire) => Effect.Effect<void>) =>
  underLoad(({ toVictim, fromVictim, load }) =>
    Effect.andThen(Effect.forEach([toVictim, ...fromVictim], fault, { discard: true }), load.progress(2))
  )

it.layer(layer("checks"), { timeout, excludeTestServices: true })(
  "The runner that checks on the others",
  (it) => {
    it.effect("reaches none of them, and is reached by none", () => whileEveryWire(({ cut }) => cut), timeout)
  }
)

it.layer(layer("is checked"), { timeout, excludeTestServices: true })("Between runners", (it) => {
  it.effect.runIf(isFull)(
    "nothing passes, in neither direction",
    () => whileEveryWire(({ cut }) => cut),
    timeout
  )

  it.effect.runIf(isFull)(
    "one is not reached, and reaches the others",
    () =>
      underLoad(({ toVictim, load }) =>
        Effect.gen(function* () {
          yield* toVictim.cut
          yield* load.progress(2)
        })
      ),
    timeout
  )

  it.effect.runIf(isFull)(
    "bytes are taken, and none arrives",
    () => whileEveryWire(({ stall }) => stall()),
    timeout
  )

  it.effect.runIf(isFull)("everything arrives late", () => whileEveryWire(({ delay }) => delay(200)), timeout)
})
