/** What may happen to Postgres, and to one runner's way to it, while the others' is as ever. */
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { inject } from "vitest"
import { isFull, layer, underLoad } from "./FaultWorld.ts"

const timeout = 120_000

const control = (what: "stop" | "start") =>
  Effect.promise(async () => {
    const answer = await fetch(`${inject("postgresControl")}/${what}`, { method: "POST" })
    if (!answer.ok) throw new Error(await answer.text())
  })

it.layer(layer("is checked"), { timeout, excludeTestServices: true })("Postgres", (it) => {
  it.effect(
    "crashes and starts again: every runner lives on",
    () => underLoad(() => Effect.andThen(control("stop"), control("start"))),
    timeout
  )

  it.effect(
    "cuts off one runner: the others take its entities over",
    () =>
      underLoad(({ toPostgres, load }) =>
        Effect.gen(function* () {
          yield* toPostgres.cut
          yield* load.progress(2)
        })
      ),
    timeout
  )

  it.effect(
    "falls silent towards one runner, for longer than its locks last",
    () =>
      underLoad(({ toPostgres, load }) =>
        Effect.gen(function* () {
          yield* toPostgres.stall()
          yield* load.progress(2)
        })
      ),
    timeout
  )

  it.effect(
    "keeps its connections to one runner, and what lies between forgets them without a word",
    () =>
      underLoad(({ toPostgres, load }) =>
        Effect.gen(function* () {
          yield* toPostgres.forget
          yield* load.progress(2)
        })
      ),
    timeout
  )

  it.effect.runIf(isFull)(
    "hears one runner no more, which hears it",
    () =>
      underLoad(({ toPostgres, load }) =>
        Effect.gen(function* () {
          yield* toPostgres.stall("to the server")
          yield* load.progress(2)
        })
      ),
    timeout
  )

  it.effect.runIf(isFull)(
    "is slow towards one runner",
    () =>
      underLoad(({ toPostgres, load }) =>
        Effect.gen(function* () {
          yield* toPostgres.delay(100)
          yield* load.progress(2)
        })
      ),
    timeout
  )

  it.effect.runIf(isFull)(
    "is slower than a runner can keep its locks",
    () =>
      underLoad(({ toPostgres, load }) =>
        Effect.gen(function* () {
          yield* toPostgres.delay(1_000)
          yield* load.progress(2)
        })
      ),
    timeout
  )
})
