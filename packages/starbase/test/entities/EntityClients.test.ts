import { assert, describe, layer } from "@effect/vitest"
import { Cause, Effect, Fiber, Layer } from "effect"
import { TestRunner } from "effect/cluster"
import { SocketCloseError, SocketError } from "effect/socket/Socket"
import * as Entities from "@starform/starbase/Entities"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import * as JournalMemory from "@starform/starbase/journal/JournalMemory"
import * as Specimens from "./Specimens.ts"

const world = Entities.layerNoDeps.pipe(
  Layer.provideMerge(TestRunner.layer),
  Layer.provideMerge(JournalMemory.layer)
)

describe("An ask", () => {
  layer(world)((it) => {
    it.effect("whose connection breaks under its request is unavailable, and no defect", () =>
      Effect.gen(function* () {
        const entities = yield* EntityClients
        const broken = new SocketError({ reason: new SocketCloseError({ code: 1000 }) })
        const answer = yield* Effect.flip(entities.app(Specimens.appId(1), () => Effect.die(broken)))
        assert.strictEqual(answer._tag, "Unavailable")
      })
    )

    it.effect("that its entity drops is unavailable, and no interruption of whoever asked", () =>
      Effect.gen(function* () {
        const entities = yield* EntityClients
        const answer = yield* Effect.flip(entities.app(Specimens.appId(1), () => Effect.interrupt))
        assert.strictEqual(answer._tag, "Unavailable")
      })
    )

    it.effect("of somebody who is interrupted ends as an interruption", () =>
      Effect.gen(function* () {
        const entities = yield* EntityClients
        const asking = yield* Effect.forkChild(
          entities.app(Specimens.appId(1), () => Effect.never),
          {
            startImmediately: true
          }
        )
        yield* Fiber.interrupt(asking)
        const exit = yield* Fiber.await(asking)
        assert.isTrue(exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause))
      })
    )

    it.effect("that is answered by any other defect is our fault", () =>
      Effect.gen(function* () {
        const entities = yield* EntityClients
        const answer = yield* Effect.flip(entities.app(Specimens.appId(1), () => Effect.die("ours")))
        assert.strictEqual(answer._tag, "InternalFault")
      })
    )
  })
})
