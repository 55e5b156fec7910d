import { Worker } from "node:worker_threads"
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Option } from "effect"
import * as LenientClock from "@starform/starbase/runners/LenientClock"

/** A thread that answers a moment later: when whoever asked is busy. */
const other = Effect.acquireRelease(
  Effect.callback<Worker>((resume) => {
    const script = `const { parentPort } = require("node:worker_threads")
      parentPort.on("message", () => setTimeout(() => parentPort.postMessage("here"), 40))`
    const worker = new Worker(script, { eval: true })
    worker.once("online", () => resume(Effect.succeed(worker)))
  }),
  (worker) => Effect.promise(() => worker.terminate())
)

/** Asks, and is busy for longer than its patience lasts; the answer is there long before that. */
const askThenBeBusy = (worker: Worker) =>
  Effect.callback<string>((resume) => {
    worker.once("message", (answer: string) => resume(Effect.succeed(answer)))
    worker.postMessage("?", [])
    // After what this turn of the loop runs last come the timers, and only then what others sent.
    setImmediate(() => {
      const end = performance.now() + 500
      while (performance.now() < end);
    })
  })

const heardBy = (clock: Clock.Clock) =>
  Effect.gen(function* () {
    const worker = yield* other
    return yield* Effect.timeoutOption(askThenBeBusy(worker), "100 millis").pipe(
      Effect.provideService(Clock.Clock, clock)
    )
  }).pipe(Effect.scoped)

it.live("hears an answer that came in time, although the process stood still beyond the limit", () =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    assert.isTrue(Option.isNone(yield* heardBy(clock)), "any other clock takes it for overdue")
    assert.deepStrictEqual(yield* heardBy(yield* LenientClock.make), Option.some("here"))
  }).pipe(Effect.scoped)
)

it.live("still ends what nobody answers", () =>
  Effect.gen(function* () {
    const clock = yield* LenientClock.make
    const silence = Effect.timeoutOption(Effect.never, "20 millis")
    assert.isTrue(Option.isNone(yield* Effect.provideService(silence, Clock.Clock, clock)))
  }).pipe(Effect.scoped)
)
