/**
 * Sequences of everything that can be asked of an App, as a model for property tests. A step names what is asked and
 * picks its target among the deploys of the state it meets (or one that never was), so that late, repeated and
 * impossible commands are as common as sensible ones.
 */
import { Result } from "effect"
import * as fc from "fast-check"
import type { DeployId } from "@starform/domain/ids/Ids"
import { ProcessName, VariableName } from "@starform/domain/ids/Slug"
import * as Creation from "@starform/starbase/entities/app/AppCreation"
import * as Deploys from "@starform/starbase/entities/app/AppDeploys"
import { observe } from "@starform/starbase/entities/app/AppObservation"
import * as Settings from "@starform/starbase/entities/app/AppSettingsChange"
import { type AppEvent, type AppState, evolve, initial } from "@starform/starbase/entities/app/AppState"
import type { Decision } from "@starform/starbase/journal/JournaledEntity"
import * as Specimens from "../Specimens.ts"

const kinds = [
  "push",
  "rollBack",
  "restart",
  "scale",
  "health",
  "variables",
  "schedule",
  "autoscaling",
  "cancel",
  "startBuild",
  "recordRelease",
  "startRollout",
  "fail",
  "settleBranch",
  "observe",
  "advance"
] as const

export interface Step {
  readonly kind: (typeof kinds)[number]
  /** Which deploy, counted back from the newest; beyond the oldest is one that never was. */
  readonly target: number
  readonly choice: number
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constant<Step["kind"]>("advance") },
    { weight: 4, arbitrary: fc.constantFrom(...kinds) }
  ),
  target: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat({ max: 5 }) }),
  choice: fc.nat({ max: 7 })
})

export const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(step, { maxLength: 80, size: "max" })

type Outcome = Result.Result<Decision<AppState, AppEvent, unknown>, unknown>

const reports = ["progressing", "available", "degraded", "failed", "absent"] as const

const reportOf = (state: AppState, { target, choice }: Step) => {
  const ordinal = (state.desired?.ordinal ?? state.ordinal) - target
  const phase = reports[choice % reports.length]!
  const reason = phase === "failed" ? { code: "WrongPort", message: "listens on 3000" } : null
  return Specimens.observed({ appId: Specimens.appId(1), ordinal }, phase, reason)
}

/** The next thing that an undisturbed deploy would meet. */
const advance = (state: AppState, deployId: DeployId, n: number, nowMs: number): Outcome => {
  const deploy = state.deploys.find(({ id }) => id === deployId)
  switch (deploy?.phase) {
    case "pending":
      return Deploys.startBuild(state, { deployId }, nowMs)
    case "building":
      return Deploys.recordRelease(state, Specimens.built(deployId, n), nowMs)
    case "built":
      return Deploys.startRollout(state, { deployId }, nowMs)
    case "deploying":
      return Result.succeed(
        observe(
          state,
          Specimens.observed({ ...state.desired!, appId: Specimens.appId(1) }, "available"),
          nowMs
        )
      )
    default:
      return Deploys.acceptPush(
        state,
        { ...Specimens.push(Specimens.deployId(n)), requestedBy: "operator" },
        nowMs
      )
  }
}

/** @param n a number that no earlier step had: new deploys take their ids from it */
export const decide = (state: AppState, step: Step, n: number, nowMs: number): Outcome => {
  const deployId = state.deploys.at(-1 - step.target)?.id ?? Specimens.deployId(999_999)
  const fresh = { deployId: Specimens.deployId(n), requestedBy: "operator" }
  switch (step.kind) {
    case "push":
      return Deploys.acceptPush(state, { ...Specimens.push(fresh.deployId, n), ...fresh }, nowMs)
    case "rollBack":
      return Deploys.rollBack(state, { ...fresh, release: step.choice === 0 ? null : step.choice }, nowMs)
    case "restart":
      return Deploys.restart(state, fresh, nowMs)
    case "scale": {
      const process = ProcessName.make(step.choice % 2 === 0 ? "web" : "worker")
      return Settings.setScale(state, { ...fresh, process, replicas: step.choice * 20 - 20 }, nowMs)
    }
    case "health":
      return Settings.setHealthCheck(state, { ...fresh, health: { path: "/up", startupSeconds: 5 } }, nowMs)
    case "schedule": {
      const schedule = { expression: "@daily", timeZone: null, concurrency: "forbid" as const }
      return Settings.setSchedule(state, { ...fresh, schedule }, nowMs)
    }
    case "autoscaling": {
      const process = ProcessName.make(step.choice % 2 === 0 ? "web" : "worker")
      const scaling = { minReplicas: step.choice, maxReplicas: 5, cpuPercent: 70, memoryPercent: null }
      const autoscaling = step.choice < 2 ? null : scaling
      return Settings.setAutoscaling(state, { ...fresh, process, autoscaling }, nowMs)
    }
    case "variables": {
      const key = VariableName.make(
        step.choice === 7 ? "PORT" : step.choice === 6 ? "STARFORM_SERVICE" : `KEY_${step.choice}`
      )
      const sealed = { keyId: "k1", sealed: `sealed-${n}` }
      const set = [{ key, value: sealed, secret: true }]
      return Settings.setVariables(state, { ...fresh, set, unset: [VariableName.make("KEY_1")] }, nowMs)
    }
    case "cancel":
      return Deploys.cancelDeploy(state, { deployId }, nowMs)
    case "startBuild":
      return Deploys.startBuild(state, { deployId }, nowMs)
    case "recordRelease":
      return Deploys.recordRelease(state, Specimens.built(deployId, n), nowMs)
    case "startRollout":
      return Deploys.startRollout(state, { deployId }, nowMs)
    case "fail":
      return Deploys.failDeploy(state, { deployId, failure: Specimens.failure }, nowMs)
    case "settleBranch":
      return Deploys.settleBranch(state, { deployId })
    case "observe":
      return Result.succeed(observe(state, reportOf(state, step), nowMs))
    case "advance":
      return advance(state, deployId, n, nowMs)
  }
}

/** Fails the test where a decision or an event would change a state in place. */
const freeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(freeze)
  }
  return value
}

export interface Moment {
  readonly step: Step
  readonly before: AppState
  readonly after: AppState
  readonly events: ReadonlyArray<AppEvent>
}

/** Everything that happens when the steps are asked one after the other of an app that has just been created. */
export const history = (asked: ReadonlyArray<Step>): ReadonlyArray<Moment> => {
  const created = Result.getOrThrow(Creation.createApp(initial(), { identity: Specimens.identity(1) }))
  let state = freeze(created.events.reduce(evolve, freeze(initial())))
  return asked.map((step, index) => {
    const before = state
    const outcome = decide(before, step, index + 1, 1_000 + index)
    const decision = Result.isSuccess(outcome) ? outcome.success : undefined
    const events = decision?.events ?? []
    state = freeze(events.reduce(evolve, before))
    decision?.reply(state)
    return { step, before, after: state, events: freeze(events) }
  })
}
