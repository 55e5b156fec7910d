/** `DeployRuns` on workflows, wherever their runners are: called by whoever performs the outbox. */
import { AppId } from "@starform/domain/ids/AppId"
import { type BuildId, DeployId } from "@starform/domain/ids/Ids"
import type { BuildView } from "@starform/domain/protocol/OperatorRpcs"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
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

const anyDeploy = (deployId: DeployId) => ({ appId: anyApp, deployId, kind: "push" as const })

/** How long the effects of an App wait for a builder; the asking goes on without them. */
export const builderAnswerMax = Duration.seconds(1)

/** One ask of a builder to cancel; it answers when nothing of the build runs, and may be asked again meanwhile. */
const cancelAskMax = Duration.seconds(30)

/** A builder that has not told an operator by then what it does is away. */
const buildLookMax = Duration.seconds(2)

const builderAway: BuildView = { status: "away", position: null, step: null, sinceMs: null }

export const layerNoDeps = Layer.effect(
  DeployRuns,
  Effect.gen(function* () {
    const engine = yield* WorkflowEngine.WorkflowEngine
    const owner = yield* BuildOwner.client
    const cancels = yield* FiberMap.make<BuildId>()

    const executionOf = ({ buildId }: BuildHandle) =>
      BuildRelease.executionId({ ...anyDeploy(DeployId.make(buildId)), answerTo: anyAnswer })

    const untilCancelled = Effect.fnUntraced(function* (handle: BuildHandle) {
      const id = yield* executionOf(handle)
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
      build: Effect.fnUntraced(
        function* (handle) {
          const id = yield* executionOf(handle)
          return yield* owner(id).GetBuild({ handle }).pipe(Effect.timeout(buildLookMax))
        },
        Effect.catchCause(() => Effect.succeed(builderAway))
      ),
      resume: Effect.fnUntraced(function* (deployId) {
        const deploy = yield* DeployRelease.executionId(anyDeploy(deployId))
        const build = yield* BuildRelease.executionId({
          ...anyDeploy(deployId),
          answerTo: anyAnswer
        })
        yield* engine.resume(DeployRelease, deploy)
        yield* engine.resume(BuildRelease, build)
      }),
      cancelBuild: Effect.fnUntraced(function* (handle) {
        const cancelling = yield* FiberMap.run(cancels, handle.buildId, untilCancelled(handle), {
          onlyIfMissing: true
        })
        yield* Effect.timeoutOption(Fiber.await(cancelling), builderAnswerMax)
      })
    })
  })
)
