/** `DeployRuns` on workflows, wherever their runners are: called by whoever performs the outbox. */
import { AppId } from "@starform/domain/ids/AppId"
import { type BuildId, DeployId } from "@starform/domain/ids/Ids"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as DurableDeferred from "effect/workflow/DurableDeferred"
import * as WorkflowEngine from "effect/workflow/WorkflowEngine"
import type { BuildHandle } from "../builds/BuildSpec.ts"
import * as Schedules from "../Schedules.ts"
import { BuildOwner } from "./BuildOwner.ts"
import { BuildRelease } from "./BuildRelease.ts"
import { DeployRelease, Settled } from "./DeployRelease.ts"
import { DeployRuns } from "./DeployRuns.ts"

/** A workflow's identity is its deploy; the other fields of the payload do not enter into it. */
const anyApp = AppId.make("00000000-0000-0000-0000-000000000000/any/00000000-0000-0000-0000-000000000000")
const anyAnswer = DurableDeferred.Token.make("")

/** How long the effects of an App wait for a builder; the asking goes on without them. */
export const builderAnswerMax = Duration.seconds(1)

/** One ask of a builder to cancel; it answers when nothing of the build runs, and may be asked again meanwhile. */
const cancelAskMax = Duration.seconds(30)

export const layerNoDeps = Layer.effect(
  DeployRuns,
  Effect.gen(function* () {
    const engine = yield* WorkflowEngine.WorkflowEngine
    const owner = yield* BuildOwner.client
    const cancels = yield* FiberMap.make<BuildId>()

    const untilCancelled = Effect.fnUntraced(function* (handle: BuildHandle) {
      const deployId = DeployId.make(handle.buildId)
      const id = yield* BuildRelease.executionId({ appId: anyApp, deployId, answerTo: anyAnswer })
      yield* owner(id)
        .CancelBuild({ handle })
        .pipe(Effect.timeout(cancelAskMax), Effect.retry(Schedules.buildToCancel))
    })

    return DeployRuns.of({
      start: (deploy) =>
        DeployRelease.execute(deploy, { discard: true }).pipe(
          Effect.asVoid,
          Effect.provideService(WorkflowEngine.WorkflowEngine, engine)
        ),
      settle: (deployId) =>
        DurableDeferred.tokenFromPayload(Settled, {
          workflow: DeployRelease,
          payload: { appId: anyApp, deployId, kind: "push" }
        }).pipe(
          Effect.flatMap((token) => DurableDeferred.succeed(Settled, { token, value: undefined })),
          Effect.provideService(WorkflowEngine.WorkflowEngine, engine)
        ),
      wake: Effect.fnUntraced(
        function* (deployId) {
          const deploy = { appId: anyApp, deployId, kind: "push" } as const
          const build = { appId: anyApp, deployId, answerTo: anyAnswer }
          yield* Effect.flatMap(BuildRelease.executionId(build), (id) => BuildRelease.resume(id))
          yield* Effect.flatMap(DeployRelease.executionId(deploy), (id) => DeployRelease.resume(id))
        },
        Effect.provideService(WorkflowEngine.WorkflowEngine, engine)
      ),
      cancelBuild: Effect.fnUntraced(function* (handle) {
        const cancelling = yield* FiberMap.run(cancels, handle.buildId, untilCancelled(handle), {
          onlyIfMissing: true
        })
        yield* Effect.timeoutOption(Fiber.await(cancelling), builderAnswerMax)
      })
    })
  })
)
