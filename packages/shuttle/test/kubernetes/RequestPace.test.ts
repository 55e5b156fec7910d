import { assert, describe, it } from "@effect/vitest"
import { KubernetesUnreachable } from "@starform/shuttle/kubernetes/KubernetesErrors"
import * as RequestPace from "@starform/shuttle/kubernetes/RequestPace"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"

const operation = "apply Deployment/a/b"
const pushedBack = (retryAfterSeconds: number | null) =>
  new KubernetesUnreachable({ operation, status: 429, retryAfterSeconds })

describe("RequestPace", () => {
  it.effect(
    "sends what the server refused for its load again, when the server said, and nothing before",
    () =>
      Effect.gen(function* () {
        const pace = yield* RequestPace.make(64)
        const sent: Array<string> = []
        let isBusy = true
        const request = (name: string) =>
          pace.run(
            "apply Deployment",
            Effect.suspend(() => {
              sent.push(name)
              return isBusy ? Effect.fail(pushedBack(7)) : Effect.succeed(name)
            })
          )
        const first = yield* Effect.forkChild(request("first"), { startImmediately: true })
        const second = yield* Effect.forkChild(request("second"), { startImmediately: true })
        isBusy = false
        yield* TestClock.adjust("6900 millis")
        assert.deepStrictEqual(sent, ["first"], "the second came after the refusal")
        yield* TestClock.adjust("200 millis")
        assert.deepStrictEqual(yield* Fiber.join(first), "first")
        assert.deepStrictEqual(yield* Fiber.join(second), "second")
        assert.strictEqual(sent.length, 3)
      })
  )

  it.effect("gives up on a server that refuses for ever, with its last word", () =>
    Effect.gen(function* () {
      const pace = yield* RequestPace.make(64)
      let sent = 0
      const request = pace.run(
        "get Pod",
        Effect.suspend(() => {
          sent++
          return Effect.fail(pushedBack(null))
        })
      )
      const ending = yield* Effect.forkChild(Effect.flip(request), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(ending)).status, 429)
      assert.strictEqual(sent, 9)
    })
  )

  it.effect("repeats no other failure, and lets an interrupted request's place go", () =>
    Effect.gen(function* () {
      const pace = yield* RequestPace.make(1)
      const broken = new KubernetesUnreachable({ operation, status: 500, retryAfterSeconds: null })
      assert.strictEqual(yield* Effect.flip(pace.run("get Pod", Effect.fail(broken))), broken)
      const waiting = yield* Effect.forkChild(pace.run("get Pod", Effect.never), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      assert.strictEqual(yield* pace.run("get Pod", Effect.succeed("next")), "next")
    })
  )

  it.effect("has as many under way at once as the bound allows, and no more", () =>
    Effect.gen(function* () {
      const pace = yield* RequestPace.make(3)
      let most = 0
      let underWay = 0
      const request = pace.run(
        "get Pod",
        Effect.suspend(() => {
          most = Math.max(most, ++underWay)
          return Effect.andThen(
            Effect.sleep("1 second"),
            Effect.sync(() => underWay--)
          )
        })
      )
      const all = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 10 }), () => request, { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(all)
      assert.strictEqual(most, 3)
    })
  )
})
