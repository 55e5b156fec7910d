/** What may happen between runners, while each of them reaches Postgres. */
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { type FaultWire } from "./FaultWire.ts"
import { isFull, layer, underLoad, type UnderLoad } from "./FaultWorld.ts"

const timeout = 120_000

const everyWire = (
  { toVictim, fromVictim }: UnderLoad,
  fault: (wire: FaultWire) => Effect.Effect<void>
): Effect.Effect<void> => Effect.forEach([toVictim, ...fromVictim], fault, { discard: true })

it.layer(layer("checks"), { timeout, excludeTestServices: true })(
  "The runner that checks on the others",
  (it) => {
    it.effect(
      "reaches none of them, and is reached by none",
      () =>
        underLoad((world) =>
          Effect.gen(function* () {
            yield* everyWire(world, ({ cut }) => cut)
            yield* world.load.progress(2)
          })
        ),
      timeout
    )
  }
)

it.layer(layer("is checked"), { timeout, excludeTestServices: true })("Between runners", (it) => {
  it.effect.runIf(isFull)(
    "nothing passes, in neither direction",
    () =>
      underLoad((world) =>
        Effect.gen(function* () {
          yield* everyWire(world, ({ cut }) => cut)
          yield* world.load.progress(2)
        })
      ),
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
    () =>
      underLoad((world) =>
        Effect.gen(function* () {
          yield* everyWire(world, ({ stall }) => stall())
          yield* world.load.progress(2)
        })
      ),
    timeout
  )

  it.effect.runIf(isFull)(
    "everything arrives late",
    () =>
      underLoad((world) =>
        Effect.gen(function* () {
          yield* everyWire(world, ({ delay }) => delay(200))
          yield* world.load.progress(2)
        })
      ),
    timeout
  )
})
