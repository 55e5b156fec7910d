/** The build of one deploy, as a workflow of its own in the shard group `builds`: a rollback never waits for a builder. */
import { Unavailable } from "@starform/domain/errors/RequestErrors"
import { AppId } from "@starform/domain/ids/AppId"
import { BuildId, DeployId } from "@starform/domain/ids/Ids"
import { DeployFailure, isTerminal } from "@starform/domain/model/Deploy"
import * as DeployHop from "@starform/domain/tracing/DeployHop"
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Effect from "effect/Effect"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as Activity from "effect/workflow/Activity"
import * as DurableDeferred from "effect/workflow/DurableDeferred"
import * as Workflow from "effect/workflow/Workflow"
import { BuildService } from "../builds/BuildService.ts"
import { toDeployFailure } from "../builds/BuildErrors.ts"
import { type BuildHandle, BuildResult, type BuildSpec } from "../builds/BuildSpec.ts"
import { EntityClients } from "../entities/EntityClients.ts"
import * as Schedules from "../Schedules.ts"
import { StarbaseConfig } from "../StarbaseConfig.ts"
import { askApp, principal, requestIdOf } from "./AppAsks.ts"
import { inTrace } from "./WorkflowHop.ts"

export const BuildOutcome = Schema.TaggedUnion({
  Built: { result: BuildResult },
  Failed: { failure: DeployFailure },
  /** The deploy ended meanwhile; nobody wants the build. */
  Moot: {}
})
export type BuildOutcome = typeof BuildOutcome.Type

/** What a deploy's workflow waits for; the build's completes it. */
export const Built = DurableDeferred.make("Built", { success: BuildOutcome })

export const BuildRelease = Workflow.make("BuildRelease", {
  /** `answerTo` names the `Built` of the workflow that waits. */
  payload: { appId: AppId, deployId: DeployId, answerTo: DurableDeferred.Token },
  idempotencyKey: ({ deployId }) => deployId
}).annotate(ClusterSchema.ShardGroup, () => "builds")

/** Cancels a build, however long its builder is away. */
const untilCancelled = (builds: BuildService["Service"], handle: BuildHandle): Effect.Effect<void> =>
  builds.cancel(handle).pipe(
    Effect.tapError((error) => Effect.logWarning(`build ${handle.buildId} is not cancelled yet`, error)),
    Effect.retry(Schedules.buildToCancel),
    Effect.orDie
  )

const deadlinePassed = (seconds: number): BuildOutcome => ({
  _tag: "Failed",
  failure: {
    phase: "building",
    code: "DeadlineExceeded",
    reason: `the build did not end within ${Math.round(seconds / 60)} minutes`,
    advice: "Look at the last step of its output for what keeps it from ending.",
    output: []
  }
})

/** Submits, joins or resubmits the build until it has an outcome; a builder that forgot it is asked again. */
const build = Effect.fnUntraced(function* (spec: BuildSpec) {
  const builds = yield* BuildService
  const once = Effect.flatMap(builds.submit(spec), (handle) => builds.await(handle))
  return yield* once.pipe(
    Effect.map((result): BuildOutcome => ({ _tag: "Built", result })),
    Effect.retry({
      schedule: Schedules.builderAway,
      while: (error) =>
        error._tag === "BuilderUnavailable" ||
        error._tag === "BuildUnknown" ||
        error._tag === "WorkspaceQueueFull"
    }),
    Effect.catchTags({
      BuildFailed: (failed) =>
        Effect.succeed<BuildOutcome>({ _tag: "Failed", failure: toDeployFailure(failed) }),
      BuildCancelled: () => Effect.succeed<BuildOutcome>({ _tag: "Moot" })
    }),
    Effect.orDie
  )
})

const buildOf = (appId: AppId, deployId: DeployId) =>
  Activity.make({
    name: "Build",
    success: BuildOutcome,
    execute: Effect.gen(function* () {
      const entities = yield* EntityClients
      const builds = yield* BuildService
      const { buildDeadline } = yield* StarbaseConfig
      const requestId = requestIdOf(deployId, "StartBuild")
      const started = yield* askApp(
        appId,
        entities.app(appId, (app) => app.StartBuild({ requestId, principal, deployId }))
      )
      if (started === null) return { _tag: "Moot" } as const
      // A late owner does not know the deploy yet that its successor began: what it tells is of before, and not "moot".
      const knowing = entities
        .app(appId, (app) => app.GetApp())
        .pipe(
          Effect.filterOrFail(
            ({ ordinal }) => ordinal >= started.ordinal,
            () => new Unavailable({ what: `app ${appId}` })
          )
        )
      const state = yield* askApp(appId, knowing)
      const record = state?.deploys.find(({ id }) => id === deployId)
      const identity = state?.identity ?? null
      if (record?.source == null || record.commit === null || identity === null) {
        return { _tag: "Moot" } as const
      }
      const handle = { buildId: BuildId.make(deployId), workspaceId: identity.workspaceId }
      // A repeat is answered as the first time, also when the deploy has ended since. Whoever was cancelling its build
      // may have ended with the process that ran this before (INV-WF-5).
      if (isTerminal(record.phase)) {
        yield* untilCancelled(builds, handle)
        return { _tag: "Moot" } as const
      }
      const spec: BuildSpec = {
        ...handle,
        appId,
        source: record.source,
        gitSha: record.commit,
        gitRef: record.ref ?? "",
        gitRepo: record.repository ?? ""
      }
      return yield* build(spec).pipe(
        Effect.timeoutOrElse({
          duration: buildDeadline,
          orElse: () =>
            Effect.as(Effect.ignore(builds.cancel(spec)), deadlinePassed(Duration.toSeconds(buildDeadline)))
        })
      )
    }).pipe(DeployHop.within(deployId, "build", { parent: "workflow.DeployRelease" }))
  })

export const layerNoDeps = BuildRelease.toLayer(
  Effect.fnUntraced(function* ({ appId, deployId, answerTo }) {
    const outcome = yield* buildOf(appId, deployId)
    yield* DurableDeferred.succeed(Built, { token: answerTo, value: outcome })
  }, inTrace)
)
