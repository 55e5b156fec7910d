/** Deploys that have not ended and what each waits for, from what is stored and from the builder. Wakes no entity. */
import { InternalFault, NotFound, Unavailable } from "@starform/domain/errors/RequestErrors"
import { AppId } from "@starform/domain/ids/AppId"
import { BuildId, DeployId, WorkspaceId } from "@starform/domain/ids/Ids"
import { Deploy, type DeployPhase } from "@starform/domain/model/Deploy"
import type { RunningDeploy } from "@starform/domain/protocol/OperatorRpcs"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ReadModels } from "../../journal/ReadModels.ts"
import { StarbaseConfig } from "../../StarbaseConfig.ts"
import { DeployRuns } from "../../workflows/DeployRuns.ts"

/** Deploys that are looked into side by side. */
const looksMax = 8

export class RunningDeploys extends Context.Service<
  RunningDeploys,
  {
    readonly list: Effect.Effect<ReadonlyArray<RunningDeploy>, Unavailable | InternalFault>
    /** `appId` is `null` once the deploy has ended. @errors NotFound for a deploy that never was */
    readonly find: (
      deployId: DeployId
    ) => Effect.Effect<
      { readonly appId: AppId | null; readonly deploy: Deploy },
      NotFound | Unavailable | InternalFault
    >
  }
>()("@starform/starbase/api/operator/RunningDeploys") {}

const Row = Schema.Struct({ appId: AppId, deployId: DeployId, requestedAtMs: Schema.Int })
const AppRow = Schema.Struct({ identity: Schema.Struct({ workspaceId: WorkspaceId }) })

const waits: Readonly<Record<DeployPhase, string>> = {
  pending: "its workflow to ask for a build",
  building: "the builder",
  built: "its workflow to make the release desired",
  deploying: "the cluster's agent to report it available",
  deployed: "nothing",
  failed: "nothing",
  cancelled: "nothing",
  superseded: "nothing"
}

export const layerNoDeps = Layer.effect(
  RunningDeploys,
  Effect.gen(function* () {
    const models = yield* ReadModels
    const runs = yield* DeployRuns
    const { buildDeadline, rolloutDeadline } = yield* StarbaseConfig

    const readable = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.mapError(effect, (error) =>
        Schema.isSchemaError(error)
          ? new InternalFault({ reference: "running deploys" })
          : new Unavailable({ what: "running deploys" })
      )

    const row = <A>(schema: Schema.Codec<A, unknown>, model: string, key: string) =>
      readable(models.get(model, key)).pipe(
        Effect.flatMap((found) =>
          Option.isNone(found)
            ? Effect.succeedNone
            : Effect.asSome(readable(Schema.decodeUnknownEffect(schema)(found.value)))
        )
      )

    const deadlineMs: Partial<Readonly<Record<DeployPhase, number>>> = {
      building: Duration.toMillis(buildDeadline),
      deploying: Duration.toMillis(rolloutDeadline)
    }

    const look = Effect.fnUntraced(function* ({ appId, deployId, requestedAtMs }: typeof Row.Type) {
      const found = yield* row(Deploy, "deploy", deployId)
      if (Option.isNone(found)) return []
      const { kind, phase, phases } = found.value
      const owner = phase === "building" ? yield* row(AppRow, "app", appId) : Option.none()
      const handle = Option.map(owner, ({ identity: { workspaceId } }) => ({
        buildId: BuildId.make(deployId),
        workspaceId
      }))
      const phaseSinceMs = phases.at(-1)?.atMs ?? requestedAtMs
      const deadline = deadlineMs[phase]
      const running: RunningDeploy = {
        appId,
        deployId,
        kind,
        requestedAtMs,
        phase,
        phaseSinceMs,
        deadlineAtMs: deadline === undefined ? null : phaseSinceMs + deadline,
        waitsFor: waits[phase],
        workflow: yield* runs.status(deployId),
        build: Option.isNone(handle) ? null : yield* runs.build(handle.value)
      }
      return [running]
    })

    return RunningDeploys.of({
      list: Effect.gen(function* () {
        const rows = yield* readable(models.list("running-deploy", "all"))
        const running = yield* readable(Schema.decodeUnknownEffect(Schema.Array(Row))(rows))
        const seen = yield* Effect.forEach(running, look, { concurrency: looksMax })
        return seen.flat().sort((a, b) => a.requestedAtMs - b.requestedAtMs)
      }),

      find: Effect.fnUntraced(function* (deployId) {
        const deploy = yield* row(Deploy, "deploy", deployId)
        const owner = yield* row(Row, "running-deploy", deployId)
        if (Option.isNone(deploy)) return yield* new NotFound({ kind: "deploy", name: deployId })
        return { appId: Option.isSome(owner) ? owner.value.appId : null, deploy: deploy.value }
      })
    })
  })
)
