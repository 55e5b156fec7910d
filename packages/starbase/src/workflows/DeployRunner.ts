/** `DeployRuns` on the workflow engine. */
import { AppId } from "@starform/domain/ids/AppId"
import type { BuildId, DeployId } from "@starform/domain/ids/Ids"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as DurableDeferred from "effect/workflow/DurableDeferred"
import * as WorkflowEngine from "effect/workflow/WorkflowEngine"
import { BuildService } from "../builds/BuildService.ts"
import { BuildRelease, untilCancelled } from "./BuildRelease.ts"
import { DeployRelease, Settled } from "./DeployRelease.ts"
import { DeployRuns } from "./DeployRuns.ts"

/** A workflow's identity is its deploy; the other fields of the payload do not enter into it. */
const anyApp = AppId.make("00000000-0000-0000-0000-000000000000/any/00000000-0000-0000-0000-000000000000")

const anyDeploy = (deployId: DeployId) => ({ appId: anyApp, deployId, kind: "push" as const })

const noAnswer = DurableDeferred.Token.make("")

/** How long the effects of an App wait for a builder; the asking goes on without them. */
export const builderAnswerMax = Duration.seconds(1)

export const layerNoDeps = Layer.effect(
  DeployRuns,
  Effect.gen(function* () {
    const engine = yield* WorkflowEngine.WorkflowEngine
    const builds = yield* BuildService
    const cancels = yield* FiberMap.make<BuildId>()
    return DeployRuns.of({
      start: (deploy) =>
        DeployRelease.execute(deploy, { discard: true }).pipe(
          Effect.asVoid,
          Effect.provideService(WorkflowEngine.WorkflowEngine, engine)
        ),
      settle: (deployId) =>
        DurableDeferred.tokenFromPayload(Settled, {
          workflow: DeployRelease,
          payload: anyDeploy(deployId)
        }).pipe(
          Effect.flatMap((token) => DurableDeferred.succeed(Settled, { token, value: undefined })),
          Effect.provideService(WorkflowEngine.WorkflowEngine, engine)
        ),
      status: Effect.fnUntraced(
        function* (deployId) {
          const executionId = yield* DeployRelease.executionId(anyDeploy(deployId))
          const result = yield* engine.poll(DeployRelease, executionId)
          if (Option.isNone(result)) return "running" as const
          return result.value._tag === "Complete" ? ("ended" as const) : ("waiting" as const)
        },
        Effect.catchCause((cause) =>
          Effect.as(Effect.logWarning("a workflow's status is not to be had", cause), "away" as const)
        )
      ),
      resume: Effect.fnUntraced(function* (deployId) {
        const deploy = yield* DeployRelease.executionId(anyDeploy(deployId))
        const build = yield* BuildRelease.executionId({ ...anyDeploy(deployId), answerTo: noAnswer })
        yield* engine.resume(DeployRelease, deploy)
        yield* engine.resume(BuildRelease, build)
      }),
      cancelBuild: Effect.fnUntraced(function* (handle) {
        const cancelling = yield* FiberMap.run(cancels, handle.buildId, untilCancelled(builds, handle), {
          onlyIfMissing: true
        })
        yield* Effect.timeoutOption(Fiber.await(cancelling), builderAnswerMax)
      })
    })
  })
)
