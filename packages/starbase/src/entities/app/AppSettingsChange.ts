/** Decisions that change what a person can set. With something live they deploy; without, they wait for the first push. */
import type { DeployId } from "@starform/domain/ids/Ids"
import type { ProcessName, VariableName } from "@starform/domain/ids/Slug"
import { InvalidInput, NotFound } from "@starform/domain/errors/RequestErrors"
import type { AppSettings, EnvironmentVariable, HealthCheck } from "@starform/domain/model/AppSettings"
import type { Deploy } from "@starform/domain/model/Deploy"
import * as Result from "effect/Result"
import type { Decision } from "../../journal/JournaledEntity.ts"
import { deployRelease } from "./AppDeploys.ts"
import type { AppEvent, AppState } from "./AppState.ts"

/** Variables of one app, all environments of a service apart. */
export const variablesMax = 500

/** Variables that every app gets from Starform; one of its own by that name would never arrive. */
const platformVariables: ReadonlySet<string> = new Set([
  "PORT",
  "STARFORM_PROJECT",
  "STARFORM_ENVIRONMENT",
  "STARFORM_SERVICE",
  "STARFORM_RELEASE_ID",
  "STARFORM_GIT_COMMIT"
])

type Change = Result.Result<Decision<AppState, AppEvent, Deploy | null>, NotFound | InvalidInput>

interface Requester {
  readonly deployId: DeployId
  readonly requestedBy: string
}

const configure = (state: AppState, requester: Requester, settings: AppSettings, nowMs: number): Change => {
  if (state.identity === null) return Result.fail(new NotFound({ kind: "app", name: "" }))
  const because: ReadonlyArray<AppEvent> = [{ _tag: "SettingsChanged", settings }]
  if (state.live === null) return Result.succeed({ events: because, reply: () => null })
  const releaseId = state.live.entry.releaseId
  return Result.succeed(deployRelease(state, { ...requester, kind: "configure", releaseId, because }, nowMs))
}

export const setScale = (
  state: AppState,
  command: Requester & { readonly process: ProcessName; readonly replicas: number },
  nowMs: number
): Change => {
  if (!Number.isInteger(command.replicas) || command.replicas < 0 || command.replicas > 100) {
    return Result.fail(
      new InvalidInput({ field: "replicas", problem: "must be a whole number from 0 to 100" })
    )
  }
  const known = state.releases.at(-1)?.processes
  if (known !== undefined && !known.some(({ name }) => name === command.process)) {
    const names = known.map(({ name }) => name).join(", ")
    return Result.fail(
      new InvalidInput({ field: "process", problem: `there is no "${command.process}"; there is: ${names}` })
    )
  }
  const others = state.settings.scale.filter(({ process }) => process !== command.process)
  const scale = [...others, { process: command.process, replicas: command.replicas }]
  return configure(state, command, { ...state.settings, scale }, nowMs)
}

export const setHealthCheck = (
  state: AppState,
  command: Requester & { readonly health: HealthCheck },
  nowMs: number
): Change => configure(state, command, { ...state.settings, health: command.health }, nowMs)

export const setVariables = (
  state: AppState,
  command: Requester & {
    readonly set: ReadonlyArray<EnvironmentVariable>
    readonly unset: ReadonlyArray<VariableName>
  },
  nowMs: number
): Change => {
  const variables = new Map(state.settings.variables.map((variable) => [variable.key, variable]))
  for (const key of command.unset) variables.delete(key)
  for (const variable of command.set) variables.set(variable.key, variable)
  const taken = command.set.find(({ key }) => platformVariables.has(key))
  if (taken !== undefined) {
    return Result.fail(new InvalidInput({ field: taken.key, problem: "is set by Starform for every app" }))
  }
  if (variables.size > variablesMax) {
    return Result.fail(new InvalidInput({ field: "variables", problem: `at most ${variablesMax} per app` }))
  }
  return configure(state, command, { ...state.settings, variables: [...variables.values()] }, nowMs)
}
