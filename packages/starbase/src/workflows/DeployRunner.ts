/** `DeployRuns` on the workflow engine. */
import { AppId } from "@starform/domain/ids/AppId"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as DurableDeferred from "effect/workflow/DurableDeferred"
import * as WorkflowEngine from "effect/workflow/WorkflowEngine"
import { BuildService } from "../builds/BuildService.ts"
import { EffectPostponed } from "../outbox/OutboxRelay.ts"
import { DeployRelease, Settled } from "./DeployRelease.ts"
import { DeployRuns } from "./DeployRuns.ts"

/** A workflow's identity is its deploy; the other fields of the payload do not enter into it. */
const anyApp = AppId.make("00000000-0000-0000-0000-000000000000/any/00000000-0000-0000-0000-000000000000")

export const layerNoDeps = Layer.effect(
  DeployRuns,
  Effect.gen(function* () {
    const engine = yield* WorkflowEngine.WorkflowEngine
    const builds = yield* BuildService
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
      cancelBuild: (handle) =>
        builds
          .cancel(handle)
          .pipe(Effect.mapError((error) => new EffectPostponed({ problem: error.message })))
    })
  })
)
