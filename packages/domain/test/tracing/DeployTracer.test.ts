import { assert, describe, it } from "@effect/vitest"
import { NotFound, Unavailable } from "@starform/domain/errors/RequestErrors"
import { DeployId } from "@starform/domain/ids/Ids"
import * as DeployHop from "@starform/domain/tracing/DeployHop"
import { placeOf, spanIdOf, traceIdOf } from "@starform/domain/tracing/DeployTrace"
import * as DeployTracer from "@starform/domain/tracing/DeployTracer"
import { Effect, Logger, References, Tracer } from "effect"

const deployId = DeployId.make("0198c0de-0000-7000-9000-0000000000ab")

/** Runs an effect under a tracer; answers the spans that it would export. */
const traced = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const spans: Array<DeployTracer.EndedSpan> = []
    const tracer = DeployTracer.make((span) => spans.push(span))
    yield* Effect.exit(Effect.provideService(effect, Tracer.Tracer, tracer))
    return spans
  })

describe("DeployTrace", () => {
  it("a deploy's trace id is its own id, and its span ids are of the size that the standard wants", () => {
    assert.strictEqual(traceIdOf(deployId), "0198c0de0000700090000000000000ab")
    assert.match(traceIdOf(deployId), /^[0-9a-f]{32}$/)
    assert.match(spanIdOf(deployId, "deploy"), /^(?!0{16})[0-9a-f]{16}$/)
    assert.notStrictEqual(spanIdOf(deployId, "deploy"), spanIdOf(deployId, "workflow.DeployRelease"))
  })
})

describe("DeployTracer", () => {
  it.effect("exports a hop and what happens in it, in the trace of its deploy", () =>
    Effect.gen(function* () {
      const inner = Effect.withSpan(Effect.void, "inner")
      const [child, hop] = yield* traced(DeployHop.within(deployId, "hop")(inner))
      assert.strictEqual(hop?.traceId, traceIdOf(deployId))
      assert.strictEqual(hop?.parentSpanId, spanIdOf(deployId, "deploy"))
      assert.strictEqual(child?.parentSpanId, hop?.spanId)
      assert.strictEqual(child?.traceId, traceIdOf(deployId))
    })
  )

  it.effect("joins a hop that another process writes, and exports nothing outside a deploy", () =>
    Effect.gen(function* () {
      const inner = Effect.withSpan(Effect.void, "inner")
      const [child] = yield* traced(DeployHop.under(deployId, "workflow.DeployRelease")(inner))
      assert.strictEqual(child?.parentSpanId, placeOf(deployId, "workflow.DeployRelease").spanId)
      assert.deepStrictEqual(yield* traced(Effect.withSpan(inner, "request")), [])
    })
  )

  it.effect("writes a hop that is over at the times that were kept", () =>
    Effect.gen(function* () {
      const [span] = yield* traced(DeployHop.wrote(deployId, "deploy", { startMs: 1000, endMs: 2500 }))
      assert.strictEqual(span?.spanId, spanIdOf(deployId, "deploy"))
      assert.strictEqual(span?.parentSpanId, undefined)
      assert.deepStrictEqual([span?.startNanos, span?.endNanos], [1_000_000_000n, 2_500_000_000n])
    })
  )

  it.effect(
    "lets through no attribute that is not named, no value that is a text, no log line, no message",
    () =>
      Effect.gen(function* () {
        const secret = "hunter2"
        const spans = yield* traced(
          Effect.gen(function* () {
            yield* Effect.annotateCurrentSpan({
              "deploy.phase": `${secret} with spaces`,
              "app.id": `line\n${secret}`,
              "http.request.header.authorization": secret,
              "outbox.attempts": 3
            })
            yield* Effect.logError(secret)
            return yield* Effect.die(new Error(secret))
          }).pipe(DeployHop.within(deployId, "hop"))
        )
        const text = JSON.stringify(
          spans.map((span) => ({ ...span, attributes: [...span.attributes], startNanos: 0, endNanos: 0 }))
        )
        assert.notInclude(text, secret)
        assert.deepStrictEqual(
          [...spans[0]!.attributes],
          [
            ["deploy.id", deployId],
            ["outbox.attempts", 3]
          ]
        )
        assert.deepStrictEqual(spans[0]!.end, { problem: "Error", isError: true })
      })
  )

  it.effect("a rejection is no error of a span; a transient failure is", () =>
    Effect.gen(function* () {
      const hop = DeployHop.within(deployId, "hop")
      const [rejected] = yield* traced(hop(Effect.fail(new NotFound({ kind: "app", name: "x" }))))
      assert.deepStrictEqual(rejected?.end, { problem: "NotFound", isError: false })
      const [transient] = yield* traced(hop(Effect.fail(new Unavailable({ what: "x" }))))
      assert.deepStrictEqual(transient?.end, { problem: "Unavailable", isError: true })
    })
  )
})

describe("DeployHop", () => {
  it.effect("names deploy and trace in every log line, with a tracer and without", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const logger = Logger.make(({ fiber }) => {
        seen.push(fiber.getRef(References.CurrentLogAnnotations))
      })
      yield* Effect.log("hello").pipe(
        DeployHop.within(deployId, "hop"),
        Effect.provide(Logger.layer([logger]))
      )
      assert.deepStrictEqual(seen, [{ deploy: deployId, trace: traceIdOf(deployId) }])
    })
  )
})
