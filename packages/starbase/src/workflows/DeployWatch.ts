/** The safety net: every half minute it wakes what a deploy that runs for long left waiting, and fails whatever deploy is older than the sum of its deadlines (README). */
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
import { DeployRuns } from "./DeployRuns.ts"

export const watchInterval = Duration.seconds(30)

/** What a deploy may spend beside its build and its rollout: waiting for a builder, and for us. */
export const grace = Duration.minutes(30)

/** A deploy that runs for longer is woken in every round. */
export const wakeAfter = Duration.minutes(1)

/** One deploy's wake; the next round tries again. */
const wakeMax = Duration.seconds(5)

const RunningDeploy = Schema.Struct({ appId: AppId, deployId: DeployId, requestedAtMs: Schema.Int })

const decodeRunning = Schema.decodeUnknownEffect(RunningDeploy)

/** Deploys that are woken, or ended, side by side. */
const deploysAtOnce = 8

const readable = (row: unknown) =>
  decodeRunning(row).pipe(
    Effect.map((deploy) => [deploy]),
    Effect.catch((error) => Effect.as(Effect.logError("a running deploy cannot be read", error), []))
  )

const wake = Effect.fnUntraced(function* ({ deployId }: typeof RunningDeploy.Type) {
  const deploys = yield* DeployRuns
  yield* deploys.resume(deployId).pipe(
    Effect.interruptible,
    Effect.timeoutOption(wakeMax),
    Effect.catchCause((cause) => Effect.logWarning(`deploy ${deployId} is not woken`, cause))
  )
})

/** Answers whether it has ended. */
const end = Effect.fnUntraced(function* ({ appId, deployId }: typeof RunningDeploy.Type) {
  const entities = yield* EntityClients
  yield* Effect.logError(`deploy ${deployId} of ${appId} outlived all its deadlines`)
  return yield* entities
    .app(appId, (app) =>
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
    .pipe(
      Effect.as(true),
      Effect.catchCause((cause) =>
        Effect.as(Effect.logWarning(`deploy ${deployId} is not ended`, cause), false)
      )
    )
})

/** One round. Whatever goes wrong with one deploy is its own. Answers how many deploys were ended. */
export const sweep = Effect.gen(function* () {
  const models = yield* ReadModels
  const { buildDeadline, rolloutDeadline } = yield* StarbaseConfig
  const rows = yield* models.list("running-deploy", "all")
  const running = (yield* Effect.forEach(rows, readable)).flat()
  const nowMs = yield* Clock.currentTimeMillis
  const limitMs = [buildDeadline, rolloutDeadline, grace].reduce(
    (sum, duration) => sum + Duration.toMillis(duration),
    0
  )
  const long = running.filter(({ requestedAtMs }) => nowMs - requestedAtMs > Duration.toMillis(wakeAfter))
  yield* Effect.forEach(long, wake, { concurrency: deploysAtOnce, discard: true })
  const stuck = running.filter(({ requestedAtMs }) => nowMs - requestedAtMs > limitMs)
  const ended = yield* Effect.forEach(stuck, end, { concurrency: deploysAtOnce })
  return ended.filter((hasEnded) => hasEnded).length
})

export const layerNoDeps = Singleton.make(
  "DeployWatch",
  sweep.pipe(
    Effect.catch((error) => Effect.logWarning("deploy watch", error)),
    Effect.repeat(Schedule.spaced(watchInterval)),
    Effect.asVoid
  )
)
