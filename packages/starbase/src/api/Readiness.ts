/** Whether this process can serve requests, as `/readyz` answers it. */
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import { RunnerStorage } from "effect/cluster/RunnerStorage"
import * as Sharding from "effect/cluster/Sharding"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import { StarbaseConfig } from "../StarbaseConfig.ts"

/** A store that needs longer than this to answer one look-up counts as missing. */
export const probeTimeout = Duration.seconds(2)

export class Readiness extends Context.Service<
  Readiness,
  {
    /** What keeps this process from serving, by name; empty when it is ready. Never fails, never longer than `probeTimeout`. */
    readonly missing: Effect.Effect<ReadonlyArray<string>>
  }
>()("@starform/starbase/api/Readiness") {}

/**
 * Ready: the database answers, and this runner is a healthy member of the cluster that is not leaving it. Entities are
 * registered before there is a port to ask at.
 */
export const layerNoDeps = Layer.effect(
  Readiness,
  Effect.gen(function* () {
    const members = yield* RunnerStorage
    const sharding = yield* Sharding.Sharding
    const { runnerHost, runnerPort } = yield* StarbaseConfig
    const self = RunnerAddress.make(runnerHost, runnerPort)

    const isMember = members.getRunners.pipe(
      Effect.map((runners) =>
        runners.some(([{ address }, isHealthy]) => isHealthy && Equal.equals(address, self))
      )
    )
    const missing = Effect.flatMap(sharding.isShutdown, (isLeaving) =>
      isLeaving
        ? Effect.succeed(["runner"])
        : isMember.pipe(
            Effect.timeout(probeTimeout),
            Effect.match({
              onSuccess: (isIn) => (isIn ? [] : ["runner"]),
              onFailure: () => ["database"]
            })
          )
    )
    return Readiness.of({ missing })
  })
)
