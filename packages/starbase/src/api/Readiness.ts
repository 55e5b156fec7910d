/** Whether this process can serve requests, as `/readyz` answers it. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sharding from "effect/cluster/Sharding"
import { ReadModels } from "../journal/ReadModels.ts"

/** A store that needs longer than this to answer one look-up counts as missing. */
export const probeTimeout = Duration.seconds(2)

export class Readiness extends Context.Service<
  Readiness,
  {
    /** What keeps this process from serving, by name; empty when it is ready. Never fails, never longer than `probeTimeout`. */
    readonly missing: Effect.Effect<ReadonlyArray<string>>
  }
>()("@starform/starbase/api/Readiness") {}

/** Ready: the journal's database answers, and this runner is not leaving the cluster. */
export const layerNoDeps = Layer.effect(
  Readiness,
  Effect.gen(function* () {
    const models = yield* ReadModels
    const sharding = yield* Sharding.Sharding

    const database = models
      .get("workspace", "")
      .pipe(
        Effect.timeout(probeTimeout),
        Effect.match({ onSuccess: () => [], onFailure: () => ["database"] })
      )
    const runner = Effect.map(sharding.isShutdown, (isShutdown) => (isShutdown ? ["runner"] : []))

    return Readiness.of({
      missing: Effect.map(Effect.all([database, runner]), (missing) => missing.flat())
    })
  })
)
