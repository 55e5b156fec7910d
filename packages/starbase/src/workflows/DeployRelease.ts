/** One deploy from acceptance to its end. README beside this file has the theory and the invariants. */
import { AppId } from "@starform/domain/ids/AppId"
import { BuildId, DeployId, ReleaseId } from "@starform/domain/ids/Ids"
import { type DeployFailure, DeployKind } from "@starform/domain/model/Deploy"
import * as DeployHop from "@starform/domain/tracing/DeployHop"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Activity from "effect/workflow/Activity"
import * as DurableClock from "effect/workflow/DurableClock"
import * as DurableDeferred from "effect/workflow/DurableDeferred"
import * as Workflow from "effect/workflow/Workflow"
import { EntityClients } from "../entities/EntityClients.ts"
import { StarbaseConfig } from "../StarbaseConfig.ts"
import { askApp, principal, requestIdOf } from "./AppAsks.ts"
import { type BuildOutcome, BuildRelease, Built } from "./BuildRelease.ts"
import type { DeployToRun } from "./DeployRuns.ts"
import { endingTrace } from "./WorkflowHop.ts"

export const DeployRelease = Workflow.make("DeployRelease", {
  payload: { appId: AppId, deployId: DeployId, kind: DeployKind },
  idempotencyKey: ({ deployId }) => deployId
})

/** Completed when the App says that the deploy has ended, whatever the end. */
export const Settled = DurableDeferred.make("Settled")

const fail = Effect.fnUntraced(function* (appId: AppId, deployId: DeployId, failure: DeployFailure) {
  const entities = yield* EntityClients
  const requestId = requestIdOf(deployId, "FailDeploy")
  yield* askApp(
    appId,
    entities.app(appId, (app) => app.FailDeploy({ requestId, principal, deployId, failure }))
  )
})

/** Records what was built, if anything was, and makes the release desired. Answers whether a rollout began. */
const rollOut = Effect.fnUntraced(function* (appId: AppId, deployId: DeployId, outcome: BuildOutcome | null) {
  const entities = yield* EntityClients
  if (outcome?._tag === "Moot") return false
  if (outcome?._tag === "Failed") {
    yield* fail(appId, deployId, outcome.failure)
    return false
  }
  if (outcome !== null) {
    const { digest, image, processes, healthPath } = outcome.result
    const recorded = yield* askApp(
      appId,
      entities.app(appId, (app) =>
        app.RecordRelease({
          requestId: requestIdOf(deployId, "RecordRelease"),
          principal,
          deployId,
          releaseId: ReleaseId.make(deployId),
          buildId: BuildId.make(deployId),
          image,
          digest,
          processes,
          healthPath
        })
      )
    )
    if (recorded === null) return false
  }
  const requestId = requestIdOf(deployId, "StartRollout")
  const started = yield* askApp(
    appId,
    entities.app(appId, (app) => app.StartRollout({ requestId, principal, deployId }))
  )
  return started !== null
})

/**
 * Starts the build and waits for its answer. It is started detached: a child that wakes its parent does so in a handler
 * that nothing interrupts, and the parent's runner could then neither stop nor hand the deploy over (decision 0010).
 */
const built = Effect.fnUntraced(function* (appId: AppId, deployId: DeployId) {
  const answerTo = yield* DurableDeferred.token(Built)
  yield* BuildRelease.execute({ appId, deployId, answerTo }, { discard: true, detached: true })
  return yield* DurableDeferred.await(Built)
})

const deadlinePassed = (seconds: number): DeployFailure => ({
  phase: "deploying",
  code: "DeadlineExceeded",
  reason: `the release did not become available within ${Math.round(seconds)} s`,
  advice: "Look at the app's status for what it waits for.",
  output: []
})

const deploy = Effect.fnUntraced(function* ({ appId, deployId, kind }: DeployToRun) {
  const { rolloutDeadline } = yield* StarbaseConfig
  const outcome = kind === "push" ? yield* built(appId, deployId) : null
  const isRollingOut = yield* Activity.make({
    name: "RollOut",
    success: Schema.Boolean,
    execute: rollOut(appId, deployId, outcome).pipe(
      DeployHop.within(deployId, "rollout", { parent: "workflow.DeployRelease" })
    )
  })
  if (!isRollingOut) return
  const ended = yield* DurableDeferred.raceAll({
    name: "Ended",
    success: Schema.Boolean,
    error: Schema.Never,
    effects: [
      Effect.as(DurableDeferred.await(Settled), true),
      // Scheduled in the message store, not held in memory: it must outlive this process.
      Effect.as(
        DurableClock.sleep({
          name: "RolloutDeadline",
          duration: rolloutDeadline,
          inMemoryThreshold: Duration.zero
        }),
        false
      )
    ]
  })
  if (ended) return
  yield* Activity.make({
    name: "Expire",
    execute: fail(appId, deployId, deadlinePassed(Duration.toSeconds(rolloutDeadline)))
  })
})

export const layerNoDeps = DeployRelease.toLayer((payload) => endingTrace(deploy(payload), payload))
