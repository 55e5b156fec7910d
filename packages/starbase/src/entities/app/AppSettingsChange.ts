/** Decisions that change what a person can set. With something live they deploy; without, they wait for the first push. */
import type { DeployId } from "@starform/domain/ids/Ids"
import type { ProcessName, VariableName } from "@starform/domain/ids/Slug"
import { InvalidInput, NotFound } from "@starform/domain/errors/RequestErrors"
import {
  type AppSettings,
  autoscalingOf,
  type EnvironmentVariable,
  type HealthCheck
} from "@starform/domain/model/AppSettings"
import { type Autoscaling, contradiction } from "@starform/domain/model/Autoscaling"
import type { Deploy } from "@starform/domain/model/Deploy"
import type { Schedule } from "@starform/domain/model/Schedule"
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

/** A process type that the newest release has, if there is one; whatever name before the first. */
const unknownProcess = (state: AppState, process: ProcessName): InvalidInput | undefined => {
  const known = state.releases.at(-1)?.processes
  if (known === undefined || known.some(({ name }) => name === process)) return undefined
  const names = known.map(({ name }) => name).join(", ")
  return new InvalidInput({ field: "process", problem: `there is no "${process}"; there is: ${names}` })
}

const withCopies = (settings: AppSettings, process: ProcessName, replicas: number): AppSettings => ({
  ...settings,
  scale: [...settings.scale.filter((one) => one.process !== process), { process, replicas }]
})

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
  const unknown = unknownProcess(state, command.process)
  if (unknown !== undefined) return Result.fail(unknown)
  if (autoscalingOf(state.settings, command.process) !== undefined) {
    const problem = `"${command.process}" scales by itself; turn that off first`
    return Result.fail(new InvalidInput({ field: "process", problem }))
  }
  return configure(state, command, withCopies(state.settings, command.process, command.replicas), nowMs)
}

/** The copies that were set stay between the two numbers, so that turning it off changes as little as it can. */
export const setAutoscaling = (
  state: AppState,
  command: Requester & { readonly process: ProcessName; readonly autoscaling: Autoscaling | null },
  nowMs: number
): Change => {
  const { autoscaling, process } = command
  const invalid = (field: string, problem: string) => Result.fail(new InvalidInput({ field, problem }))
  if (state.identity?.serviceType === "cron")
    return invalid("process", "what runs on a schedule has no copies")
  const unknown = autoscaling === null ? undefined : unknownProcess(state, process)
  if (unknown !== undefined) return Result.fail(unknown)
  const problem = autoscaling === null ? undefined : contradiction(autoscaling)
  if (problem !== undefined) return invalid("autoscaling", problem)
  const { autoscaling: known = [], ...settings } = state.settings
  const others = known.filter((one) => one.process !== process)
  const next = autoscaling === null ? others : [...others, { process, ...autoscaling }]
  const copies = settings.scale.find((one) => one.process === process)?.replicas ?? 0
  const scaled =
    autoscaling === null
      ? settings
      : withCopies(
          settings,
          process,
          Math.min(autoscaling.maxReplicas, Math.max(autoscaling.minReplicas, copies))
        )
  return configure(state, command, next.length === 0 ? scaled : { ...scaled, autoscaling: next }, nowMs)
}

export const setSchedule = (
  state: AppState,
  command: Requester & { readonly schedule: Schedule },
  nowMs: number
): Change => {
  const type = state.identity?.serviceType ?? "cron"
  return type === "cron"
    ? configure(state, command, { ...state.settings, schedule: command.schedule }, nowMs)
    : Result.fail(
        new InvalidInput({ field: "schedule", problem: `is for services of type cron; this one is ${type}` })
      )
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
