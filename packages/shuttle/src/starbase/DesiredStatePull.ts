/** The loop that asks Starbase what must be, for as long as the agent lives, whether it leads or not. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { jitteredPause } from "../pacing/JitteredPause.ts"
import { logFailure } from "../pacing/LogFailure.ts"
import { ifLeading, Tenure } from "../leadership/Tenure.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { pulled } from "../tracing/AgentHops.ts"
import { DesiredStateHolder } from "./DesiredStateHolder.ts"
import { StarbaseClient } from "./StarbaseClient.ts"

/** So many empty answers in a row that came at once mean that something on the way does not hold requests. */
const earlyAnswersMax = 3

export class DesiredStatePull extends Context.Service<
  DesiredStatePull,
  {
    /** True once Starbase answered a pull. */
    readonly hasContacted: Effect.Effect<boolean>
  }
>()("@starform/shuttle/starbase/DesiredStatePull") {}

const make = Effect.gen(function* () {
  const settings = yield* ShuttleConfig
  const client = yield* StarbaseClient
  const holder = yield* DesiredStateHolder
  const tenure = yield* Tenure
  const contacted = yield* Latch.make()
  let failures = 0
  let earlyAnswers = 0
  let acceptDelta = true

  const take = Effect.gen(function* () {
    const held = yield* holder.current
    const started = yield* Clock.currentTimeMillis
    /** The first answer is wanted at once: until then nobody knows whether what is held is of today. */
    const wait = Latch.isOpen(contacted) ? settings.pullWait : Duration.zero
    const known = acceptDelta ? (held?.revision ?? null) : null
    const answer = yield* client.pull({ known, acceptDelta, wait })
    yield* Latch.open(contacted)
    failures = 0
    if (Option.isSome(answer)) {
      earlyAnswers = 0
      acceptDelta = true
      const next = yield* holder.offer(answer.value)
      yield* ifLeading(tenure, pulled(held, next, started, yield* Clock.currentTimeMillis))
      yield* Effect.logDebug("Holding a new document", { revision: next.revision })
      return
    }
    if (Duration.isZero(wait)) return
    const waited = Duration.millis((yield* Clock.currentTimeMillis) - started)
    const isEarly = Duration.isLessThan(waited, Duration.divideUnsafe(settings.pullWait, 2))
    earlyAnswers = isEarly ? earlyAnswers + 1 : 0
    if (earlyAnswers >= earlyAnswersMax) {
      yield* Effect.sleep(yield* jitteredPause(settings.reconcileInterval, settings.reconcileInterval, 1))
    }
  })

  const turn = take.pipe(
    Effect.catch((error) => {
      const failuresBefore = failures
      failures += 1
      /** A delta that does not fit is no outage: the whole is asked for at once, the first time. */
      const isUnusableDelta = error._tag === "DocumentRejected" && error.askForFull && acceptDelta
      if (error._tag === "DocumentRejected" && error.askForFull) acceptDelta = false
      const report = logFailure(failuresBefore)("No new document", {
        error: error._tag,
        problem: error.message
      })
      if (isUnusableDelta) return report
      return Effect.flatMap(
        jitteredPause(settings.starbaseRetryFirst, settings.starbaseRetryMax, failures),
        (pause) => Effect.andThen(report, Effect.sleep(pause))
      )
    })
  )

  yield* Effect.forkScoped(Effect.forever(turn))
  return DesiredStatePull.of({ hasContacted: Effect.sync(() => Latch.isOpen(contacted)) })
})

export const layer: Layer.Layer<
  DesiredStatePull,
  never,
  ShuttleConfig | StarbaseClient | DesiredStateHolder | Tenure
> = Layer.effect(DesiredStatePull)(make)
