/** What a person can set for one app. Defaults are here and nowhere else. */
import * as Schema from "effect/Schema"
import { ProcessName, VariableName } from "../ids/Slug.ts"

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
  autodeploy: Schema.Boolean
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

/** The port that a web process is told in `PORT` on a cluster. */
export const containerPort = 8080
