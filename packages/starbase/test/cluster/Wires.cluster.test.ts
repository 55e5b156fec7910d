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

const whileCut = (which: "to the victim" | "from the victim" | "to one other") =>
  underLoad(({ toVictim, fromVictim, load }) => {
    const wires =
      which === "to the victim" ? [toVictim] : which === "to one other" ? fromVictim.slice(0, 1) : fromVictim
    return Effect.andThen(
      Effect.forEach(wires, ({ cut }) => cut, { discard: true }),
      load.progress(2)
    )
  })

it.layer(layer("checks"), { timeout, excludeTestServices: true })(
  "The runner that checks on the others",
  (it) => {
    it.effect("reaches none of them, and is reached by none", () => whileEveryWire(({ cut }) => cut), timeout)

    it.effect("is reached by none of them, and reaches them all", () => whileCut("to the victim"), timeout)

    it.effect.runIf(isFull)(
      "reaches none of them, and is reached by them all",
      () => whileCut("from the victim"),
      timeout
    )

    it.effect.runIf(isFull)("does not reach one of them", () => whileCut("to one other"), timeout)
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
    () => whileCut("to the victim"),
    timeout
  )

  it.effect.runIf(isFull)(
    "bytes are taken, and none arrives",
    () => whileEveryWire(({ stall }) => stall()),
    timeout
  )

  it.effect.runIf(isFull)("everything arrives late", () => whileEveryWire(({ delay }) => delay(200)), timeout)
})
