/** Rotates the agent's credential when it is due or an operator asks: kept, offered, used. README of `credential/` has the steps. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { jitteredPause } from "../pacing/JitteredPause.ts"
import { logFailure } from "../pacing/LogFailure.ts"
import { ifLeading, Tenure } from "../leadership/Tenure.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { AgentToken } from "./AgentToken.ts"
import { StarbaseClient } from "./StarbaseClient.ts"

/** Longest sleep: a clock that was set is noticed by then. What is due is looked at again after it: a replica may have rotated. */
const lookAgain = Duration.hours(1)

/** Agents that joined together rotate apart. */
const spread = 0.1

export class CredentialRotation extends Context.Service<
  CredentialRotation,
  {
    /** Rotations that this process did. */
    readonly rotated: Effect.Effect<number>
  }
>()("@starform/shuttle/starbase/CredentialRotation") {}

const make = Effect.gen(function* () {
  const { credentialRotation, starbaseRetryFirst, starbaseRetryMax } = yield* ShuttleConfig
  const token = yield* AgentToken
  const client = yield* StarbaseClient
  const tenure = yield* Tenure
  const fraction = yield* Random.next
  const intervalMs = Duration.toMillis(credentialRotation) * (1 - spread * fraction)
  let rotated = 0
  let failures = 0
  let isTold = false

  const rotate = Effect.gen(function* () {
    const next = yield* token.next
    if (next === null) {
      if (!isTold)
        yield* Effect.logWarning("The credential comes from the token file: whoever keeps that rotates")
      isTold = true
      return
    }
    yield* client.offer(next)
    yield* token.take(next)
    // By itself, so that it is used now and not when the next pull ends. Any later request does the same.
    yield* Effect.ignore(client.offer(next))
    rotated += 1
    yield* Effect.logInfo("Rotated the credential")
  })

  const turn = Effect.gen(function* () {
    const sinceMs = yield* token.ownSinceMs
    const leftMs = sinceMs === null ? Infinity : sinceMs + intervalMs - (yield* Clock.currentTimeMillis)
    const pause = Math.min(Math.max(leftMs, 0), Duration.toMillis(lookAgain))
    const asked = yield* Effect.timeoutOption(client.rotationAsked.await, Duration.millis(pause))
    if (asked._tag === "Some" || leftMs <= 0) {
      yield* ifLeading(tenure, rotate)
      yield* Latch.close(client.rotationAsked)
    }
    failures = 0
  }).pipe(
    Effect.catch((error) =>
      Effect.gen(function* () {
        yield* logFailure(failures)("The credential was not rotated", { problem: error.message })
        failures += 1
        yield* Effect.sleep(yield* jitteredPause(starbaseRetryFirst, starbaseRetryMax, failures))
      })
    )
  )

  /** What was asked while another agent led, that one has done; what it has not, Starbase asks again with its next answer. */
  const forget = tenure.isElected ? Latch.close(client.rotationAsked) : Effect.void
  yield* Effect.forkScoped(tenure.whileLeading(Effect.andThen(forget, Effect.forever(turn))))
  return CredentialRotation.of({ rotated: Effect.sync(() => rotated) })
})

export const layer: Layer.Layer<
  CredentialRotation,
  never,
  ShuttleConfig | AgentToken | StarbaseClient | Tenure
> = Layer.effect(CredentialRotation)(make)
