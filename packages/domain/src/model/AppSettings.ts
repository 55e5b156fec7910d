/** What a person can set for one app. Defaults are here and nowhere else. */
import * as Schema from "effect/Schema"
import { ProcessName, VariableName } from "../ids/Slug.ts"
import { type Autoscaling, ProcessAutoscaling } from "./Autoscaling.ts"
import { Schedule } from "./Schedule.ts"
import type { ServiceType } from "./Workspace.ts"

/** AES-256-GCM ciphertext of one value; `keyId` names the workspace data key. Base64 of nonce, tag and ciphertext. */
export const SealedValue = Schema.Struct({ keyId: Schema.String, sealed: Schema.String })
export type SealedValue = typeof SealedValue.Type

export const EnvironmentVariable = Schema.Struct({
  key: VariableName,
  value: SealedValue,
  /** A secret is shown masked; a plain value is shown as it is. Both are sealed at rest. */
  secret: Schema.Boolean
})
export type EnvironmentVariable = typeof EnvironmentVariable.Type

/** Running copies of one process type, 0–100. */
export const Scale = Schema.Struct({
  process: ProcessName,
  replicas: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
})
export type Scale = typeof Scale.Type

export const HealthCheck = Schema.Struct({
  /** Answered by `web` with a status below 400; `null` means that an open port is enough. */
  path: Schema.NullOr(Schema.String.check(Schema.isPattern(/^\/[^\s]{0,255}$/))),
  /** How long a new copy may take until its first success; 1–600. */
  startupSeconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 600 }))
})
export type HealthCheck = typeof HealthCheck.Type

export const AppSettings = Schema.Struct({
  health: HealthCheck,
  scale: Schema.Array(Scale),
  variables: Schema.Array(EnvironmentVariable),
  /** Name of the pod size; display only, never billing. */
  tier: Schema.String,
  /** A push to the environment's branch deploys; off means that it is only stored. */
  autodeploy: Schema.Boolean,
  /** Of a service of type `cron`; absent until somebody sets one. */
  schedule: Schema.optionalKey(Schedule),
  /** Process types that scale by themselves; absent for none. */
  autoscaling: Schema.optionalKey(Schema.Array(ProcessAutoscaling))
})
export type AppSettings = typeof AppSettings.Type

/** `web` runs once, every other process type not at all until it is scaled. */
export const defaults: AppSettings = {
  health: { path: null, startupSeconds: 60 },
  scale: [{ process: ProcessName.make("web"), replicas: 1 }],
  variables: [],
  tier: "nova",
  autodeploy: true
}

/** Of a process type that scales by itself; `undefined` when it does not. */
export const autoscalingOf = (settings: AppSettings, process: string): Autoscaling | undefined => {
  const found = settings.autoscaling?.find((one) => one.process === process)
  if (found === undefined) return undefined
  const { process: _, ...autoscaling } = found
  return autoscaling
}

/** The process type that a service of type `cron` runs: `cron`, or its only one; `undefined` when that is unclear. */
export const scheduledProcess = <Process extends { readonly name: string }>(
  processes: ReadonlyArray<Process>
): Process | undefined =>
  processes.find(({ name }) => name === "cron") ?? (processes.length === 1 ? processes[0] : undefined)

/** A process type that nobody scaled runs once when its service is about it, and not at all otherwise. */
export const copiesOf = (
  scale: ReadonlyArray<Scale>,
  serviceType: ServiceType,
  processes: ReadonlyArray<{ readonly name: string }>,
  process: string
): number => {
  const main = serviceType === "cron" ? scheduledProcess(processes)?.name : "web"
  return scale.find((one) => one.process === process)?.replicas ?? (process === main ? 1 : 0)
}

/** The port that a web process is told in `PORT` on a cluster. */
export const containerPort = 8080
