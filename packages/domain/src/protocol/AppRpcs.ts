/** Public RPCs on one app. Every mutation takes a `requestId`: a repeat takes effect at most once. */
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { DeployEnded, NoEarlierRelease, NothingLive } from "../errors/DeployErrors.ts"
import { AppId } from "../ids/AppId.ts"
import { DeployId, RequestId } from "../ids/Ids.ts"
import { EnvironmentName, Hostname, ProcessName, Slug, VariableName } from "../ids/Slug.ts"
import { HealthCheck, Scale } from "../model/AppSettings.ts"
import { Autoscaling, ProcessAutoscaling } from "../model/Autoscaling.ts"
import { Deploy } from "../model/Deploy.ts"
import { Release } from "../model/Release.ts"
import { Schedule } from "../model/Schedule.ts"
import { ObservedPhase, ObservedProcess, ObservedReason } from "../observed/ObservedApp.ts"
import { Authentication } from "./Authentication.ts"
import { MutationError, ReadError } from "./TenantRpcs.ts"

/** An app as a person names it. */
export const AppRef = Schema.Struct({
  workspace: Slug,
  project: Slug,
  environment: EnvironmentName,
  service: Slug
})
export type AppRef = typeof AppRef.Type

/** What a person is told about an app. Desired and observed side by side, never mixed. */
export const AppStatus = Schema.Struct({
  appId: AppId,
  hostnames: Schema.Array(Hostname),
  /** Where people reach each of the host names, scheme and port included. */
  urls: Schema.Array(Schema.String),
  /** The release that is live, as last observed; `null` before the first. */
  live: Schema.NullOr(Release),
  /** The newest deploy, ended or not. */
  deploy: Schema.NullOr(Deploy),
  observed: Schema.NullOr(
    Schema.Struct({
      /** Of the release that is live; otherwise of the one that is being rolled out or was given up. */
      isOfLive: Schema.Boolean,
      phase: ObservedPhase,
      reason: Schema.NullOr(Schema.toType(ObservedReason)),
      processes: Schema.Array(Schema.toType(ObservedProcess)),
      /** When this observation began; an unchanged one is not repeated. */
      sinceMs: Schema.Int
    })
  ),
  scale: Schema.Array(Scale),
  health: HealthCheck,
  /** When a service of type `cron` runs; absent while nobody said so. */
  schedule: Schema.optionalKey(Schedule),
  /** Process types whose copies the cluster decides on; absent for none. */
  autoscaling: Schema.optionalKey(Schema.Array(ProcessAutoscaling))
})
export type AppStatus = typeof AppStatus.Type

const DeployError = Schema.Union([MutationError, NoEarlierRelease, NothingLive, DeployEnded])

const mutation = { requestId: RequestId, app: AppRef }

const GetAppStatus = Rpc.make("GetAppStatus", {
  payload: { app: AppRef },
  success: AppStatus,
  error: ReadError
})

/** Newest first. */
const ListReleases = Rpc.make("ListReleases", {
  payload: { app: AppRef },
  success: Schema.Array(Release),
  error: ReadError
})

/** Newest first, at most 50. */
const ListDeploys = Rpc.make("ListDeploys", {
  payload: { app: AppRef },
  success: Schema.Array(Deploy),
  error: ReadError
})

/** By digest: no git, no build. `release` is a release number; `null` is the one that was live before. */
const RollBack = Rpc.make("RollBack", {
  payload: { ...mutation, release: Schema.NullOr(Schema.Int) },
  success: Deploy,
  error: DeployError
})

const Restart = Rpc.make("Restart", { payload: mutation, success: Deploy, error: DeployError })

/** A deploy when something is live; otherwise it is kept for the first one and `null` is answered. */
const SetScale = Rpc.make("SetScale", {
  payload: { ...mutation, process: ProcessName, replicas: Schema.Int },
  success: Schema.NullOr(Deploy),
  error: DeployError
})

const SetHealthCheck = Rpc.make("SetHealthCheck", {
  payload: { ...mutation, health: HealthCheck },
  success: Schema.NullOr(Deploy),
  error: DeployError
})

/** When a service of type `cron` runs. Its runs end with the release that they began with. */
const SetSchedule = Rpc.make("SetSchedule", {
  payload: { ...mutation, schedule: Schedule },
  success: Schema.NullOr(Deploy),
  error: DeployError
})

/** `null`: the number of copies is what was set, or the fewest that it scaled between, whichever is more. */
const SetAutoscaling = Rpc.make("SetAutoscaling", {
  payload: { ...mutation, process: ProcessName, autoscaling: Schema.NullOr(Autoscaling) },
  success: Schema.NullOr(Deploy),
  error: DeployError
})

/** Values travel in clear only in this request; they are sealed before any entity sees them. */
const SetVariables = Rpc.make("SetVariables", {
  payload: {
    ...mutation,
    set: Schema.Array(Schema.Struct({ key: VariableName, value: Schema.String, secret: Schema.Boolean })),
    unset: Schema.Array(VariableName)
  },
  success: Schema.NullOr(Deploy),
  error: DeployError
})

/** Plain values in clear, secrets as `null`. */
const ListVariables = Rpc.make("ListVariables", {
  payload: { app: AppRef },
  success: Schema.Array(
    Schema.Struct({ key: VariableName, value: Schema.NullOr(Schema.String), secret: Schema.Boolean })
  ),
  error: ReadError
})

const CancelDeploy = Rpc.make("CancelDeploy", {
  payload: { ...mutation, deployId: DeployId },
  success: Deploy,
  error: DeployError
})

/** Answers as soon as the deploy has more phases than `phasesSeen`, or unchanged after at most 30 s. */
const AwaitDeploy = Rpc.make("AwaitDeploy", {
  payload: { app: AppRef, deployId: DeployId, phasesSeen: Schema.Int },
  success: Deploy,
  error: ReadError
})

export class AppRpcs extends RpcGroup.make(
  GetAppStatus,
  ListReleases,
  ListDeploys,
  RollBack,
  Restart,
  SetScale,
  SetHealthCheck,
  SetSchedule,
  SetAutoscaling,
  SetVariables,
  ListVariables,
  CancelDeploy,
  AwaitDeploy
).middleware(Authentication) {}
