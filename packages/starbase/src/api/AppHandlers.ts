/** Public RPCs on one app: resolve, ask the App entity, shape the answer. */
import { InternalFault } from "@starform/domain/errors/RequestErrors"
import { DeployId, type RequestId } from "@starform/domain/ids/Ids"
import { copiesOf, type EnvironmentVariable, scheduledProcess } from "@starform/domain/model/AppSettings"
import { CurrentPrincipal } from "@starform/domain/model/Principal"
import { AppRpcs, type AppRef, type AppStatus } from "@starform/domain/protocol/AppRpcs"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type AppState, publicDeploy } from "../entities/app/AppEntity.ts"
import { EntityClients } from "../entities/EntityClients.ts"
import { Vault, type VaultFailure } from "../security/Vault.ts"
import { StarbaseConfig, type StarbaseSettings } from "../StarbaseConfig.ts"
import { type Access, Directory, type LocatedApp } from "./Directory.ts"
import { derivedId } from "./internal/derivedId.ts"

/** Longest time that `AwaitDeploy` holds its answer back. */
export const awaitDeployMax = Duration.seconds(30)

/** As it was set, with the process that runs on a schedule, which runs unless somebody said otherwise. */
const scaleOf = ({ identity, releases, settings: { scale } }: AppState): AppStatus["scale"] => {
  const processes = releases.at(-1)?.processes ?? []
  const scheduled = identity?.serviceType === "cron" ? scheduledProcess(processes) : undefined
  if (scheduled === undefined || scale.some(({ process }) => process === scheduled.name)) return scale
  return [...scale, { process: scheduled.name, replicas: copiesOf(scale, "cron", processes, scheduled.name) }]
}

const statusOf = (
  located: LocatedApp,
  state: AppState,
  { appScheme, appPortSuffix }: StarbaseSettings
): AppStatus => {
  const { live, observed } = state
  const { autoscaling, schedule } = state.settings
  const newest = state.deploys.at(-1)
  const hostnames = state.identity?.hostnames ?? []
  return {
    appId: located.appId,
    hostnames,
    urls: hostnames.map((hostname) => `${appScheme}://${hostname}${appPortSuffix}`),
    live: state.releases.find(({ id }) => id === live?.entry.releaseId) ?? null,
    deploy: newest === undefined ? null : publicDeploy(newest),
    observed:
      observed === null
        ? null
        : {
            isOfLive: observed.ordinal === live?.entry.ordinal,
            phase: observed.phase,
            reason: observed.reason,
            processes: observed.processes,
            sinceMs: observed.sinceMs
          },
    scale: scaleOf(state),
    health: state.settings.health,
    ...(schedule === undefined ? {} : { schedule }),
    ...(autoscaling === undefined ? {} : { autoscaling })
  }
}

export const layerNoDeps = AppRpcs.toLayer(
  Effect.gen(function* () {
    const entities = yield* EntityClients
    const directory = yield* Directory
    const vault = yield* Vault
    const settings = yield* StarbaseConfig

    const locate = Effect.fnUntraced(function* (ref: AppRef, access: Access) {
      const principal = yield* CurrentPrincipal
      const located = yield* directory.app(principal, ref, access)
      return { principal, located }
    })

    const read = Effect.fnUntraced(function* (ref: AppRef) {
      const { located } = yield* locate(ref, "read")
      const state = yield* entities.app(located.appId, (app) => app.GetApp())
      return { located, state }
    })

    /** What a mutation carries: its deploy's id follows from the request, so a repeat is the same request. */
    const mutate = Effect.fnUntraced(function* (ref: AppRef, requestId: RequestId) {
      const { principal, located } = yield* locate(ref, "write")
      const deployId = DeployId.make(derivedId("deploy", located.appId, requestId))
      return { located, message: { requestId, principal, deployId } }
    })

    return AppRpcs.of({
      GetAppStatus: ({ app }) =>
        Effect.map(read(app), ({ located, state }) => statusOf(located, state, settings)),

      ListReleases: ({ app }) => Effect.map(read(app), ({ state }) => state.releases.toReversed()),

      ListDeploys: ({ app }) =>
        Effect.map(read(app), ({ state }) => state.deploys.map(publicDeploy).toReversed()),

      ListVariables: Effect.fnUntraced(function* ({ app }) {
        const { located, state } = yield* read(app)
        const shown = (variable: EnvironmentVariable): Effect.Effect<string | null, VaultFailure> =>
          variable.secret
            ? Effect.succeed(null)
            : Effect.map(vault.open(located.workspace.id, variable.value), Redacted.value)
        return yield* Effect.forEach(state.settings.variables, (variable) =>
          Effect.map(shown(variable), (value) => ({ key: variable.key, value, secret: variable.secret }))
        ).pipe(Effect.catchTag("VaultFailure", vaultFault))
      }),

      RollBack: Effect.fnUntraced(function* ({ app, requestId, release }) {
        const { located, message } = yield* mutate(app, requestId)
        return yield* entities.app(located.appId, (entity) => entity.RollBack({ ...message, release }))
      }),

      Restart: Effect.fnUntraced(function* ({ app, requestId }) {
        const { located, message } = yield* mutate(app, requestId)
        return yield* entities.app(located.appId, (entity) => entity.Restart(message))
      }),

      SetScale: Effect.fnUntraced(function* ({ app, requestId, process, replicas }) {
        const { located, message } = yield* mutate(app, requestId)
        return yield* entities.app(located.appId, (entity) =>
          entity.SetScale({ ...message, process, replicas })
        )
      }),

      SetHealthCheck: Effect.fnUntraced(function* ({ app, requestId, health }) {
        const { located, message } = yield* mutate(app, requestId)
        return yield* entities.app(located.appId, (entity) => entity.SetHealthCheck({ ...message, health }))
      }),

      SetSchedule: Effect.fnUntraced(function* ({ app, requestId, schedule }) {
        const { located, message } = yield* mutate(app, requestId)
        return yield* entities.app(located.appId, (entity) => entity.SetSchedule({ ...message, schedule }))
      }),

      SetAutoscaling: Effect.fnUntraced(function* ({ app, requestId, process, autoscaling }) {
        const { located, message } = yield* mutate(app, requestId)
        return yield* entities.app(located.appId, (entity) =>
          entity.SetAutoscaling({ ...message, process, autoscaling })
        )
      }),

      SetVariables: Effect.fnUntraced(function* ({ app, requestId, set, unset }) {
        const { located, message } = yield* mutate(app, requestId)
        const sealed = yield* Effect.forEach(set, ({ key, value, secret }) =>
          Effect.map(
            vault.seal(located.workspace.id, `${located.appId}/${key}`, Redacted.make(value)),
            (ciphertext): EnvironmentVariable => ({ key, value: ciphertext, secret })
          )
        ).pipe(Effect.catchTag("VaultFailure", vaultFault))
        return yield* entities.app(located.appId, (entity) =>
          entity.SetVariables({ ...message, set: sealed, unset })
        )
      }),

      CancelDeploy: Effect.fnUntraced(function* ({ app, requestId, deployId }) {
        const { located, message } = yield* mutate(app, requestId)
        return yield* entities.app(located.appId, (entity) => entity.CancelDeploy({ ...message, deployId }))
      }),

      AwaitDeploy: Effect.fnUntraced(function* ({ app, deployId, phasesSeen }) {
        const { located } = yield* locate(app, "read")
        const waitMs = Duration.toMillis(awaitDeployMax)
        return yield* entities.app(
          located.appId,
          (entity) => entity.AwaitDeploy({ deployId, phasesSeen, waitMs }),
          awaitDeployMax
        )
      })
    })
  })
)

const vaultFault = (error: { readonly message: string; readonly cause: unknown }) =>
  Effect.logError(error.message, error.cause).pipe(
    Effect.andThen(Effect.fail(new InternalFault({ reference: "vault" })))
  )
