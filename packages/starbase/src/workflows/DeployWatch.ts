/** The safety net: every half minute it fails whatever deploy is older than the sum of its deadlines (README). */
import { AppId } from "@starform/domain/ids/AppId"
import { DeployId } from "@starform/domain/ids/Ids"
import * as Singleton from "effect/cluster/Singleton"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Schedule from "effect/Schedule"
import { EntityClients } from "../entities/EntityClients.ts"
import { ReadModels } from "../journal/ReadModels.ts"
import { StarbaseConfig } from "../StarbaseConfig.ts"
import { principal, requestIdOf } from "./AppAsks.ts"

export const watchInterval = Duration.seconds(30)

/** What a deploy may spend beside its build and its rollout: waiting for a builder, and for us. */
export const grace = Duration.minutes(30)

const RunningDeploy = Schema.Struct({ appId: AppId, deployId: DeployId, requestedAtMs: Schema.Int })

const decodeRunning = Schema.decodeUnknownEffect(Schema.Array(RunningDeploy))

/** One round. Answers how many deploys were ended. */
export const sweep = Effect.gen(function* () {
  const models = yield* ReadModels
  const entities = yield* EntityClients
  const { buildDeadline, rolloutDeadline } = yield* StarbaseConfig
  const running = yield* Effect.flatMap(models.list("running-deploy", "all"), decodeRunning)
  const nowMs = yield* Clock.currentTimeMillis
  const limitMs = [buildDeadline, rolloutDeadline, grace].reduce(
    (sum, duration) => sum + Duration.toMillis(duration),
    0
  )
  const stuck = running.filter(({ requestedAtMs }) => nowMs - requestedAtMs > limitMs)
  yield* Effect.forEach(stuck, ({ appId, deployId }) =>
    Effect.logError(`deploy ${deployId} of ${appId} outlived all its deadlines`).pipe(
      Effect.andThen(
        entities.app(appId, (app) =>
          app.FailDeploy({
            requestId: requestIdOf(deployId, "Abandoned"),
            principal,
            deployId,
            failure: {
              phase: "pending",
              code: "Abandoned",
              reason: "Starform lost track of this deploy; this is our fault",
              advice: "Push again.",
              output: []
            }
          })
        )
      )
    )
  )
  return stuck.length
})

export const layerNoDeps = Singleton.make(
  "DeployWatch",
  sweep.pipe(
    Effect.catch((error) => Effect.logWarning("deploy watch", error)),
    Effect.repeat(Schedule.spaced(watchInterval)),
    Effect.asVoid
  )
)
