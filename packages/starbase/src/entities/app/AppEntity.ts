/** The protocol of the App entity: the only file of this folder that others may import. */
import { DeployEnded, NoEarlierRelease, NothingLive } from "@starform/domain/errors/DeployErrors"
import { CommitSha, Digest, ImageReference } from "@starform/domain/ids/Digest"
import { BuildId, DeployId, ReleaseId } from "@starform/domain/ids/Ids"
import { ProcessName, VariableName } from "@starform/domain/ids/Slug"
import { EnvironmentVariable, HealthCheck } from "@starform/domain/model/AppSettings"
import { Autoscaling } from "@starform/domain/model/Autoscaling"
import { Deploy, DeployFailure } from "@starform/domain/model/Deploy"
import { ReleaseProcess } from "@starform/domain/model/Release"
import { Schedule } from "@starform/domain/model/Schedule"
import { ObservedApp } from "@starform/domain/observed/ObservedApp"
import * as Entity from "effect/cluster/Entity"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import {
  CommonError,
  InspectActivity,
  mutation,
  mutationAnnotations,
  Passivate,
  ReadError,
  waitingAnnotations
} from "../EntityMessage.ts"
import { AppIdentity, AppState } from "./AppState.ts"

export { publicDeploy } from "./AppDeploys.ts"
export { AppIdentity, AppState, DeployRecord } from "./AppState.ts"

const error = Schema.Union([CommonError, DeployEnded, NoEarlierRelease, NothingLive])

/** Idempotent for the same identity; another identity is `InvalidInput`. */
const CreateApp = Rpc.make("CreateApp", {
  payload: { ...mutation, identity: AppIdentity },
  success: AppIdentity,
  error
})

/** `requestId` is the deploy's id. The commit and its source must be kept before this is asked. */
const AcceptPush = Rpc.make("AcceptPush", {
  payload: {
    ...mutation,
    deployId: DeployId,
    commit: CommitSha,
    ref: Schema.String,
    source: Digest,
    repository: Schema.String,
    detached: Schema.Boolean
  },
  success: Deploy,
  error
})

const RollBack = Rpc.make("RollBack", {
  payload: { ...mutation, deployId: DeployId, release: Schema.NullOr(Schema.Int) },
  success: Deploy,
  error
})

const Restart = Rpc.make("Restart", { payload: { ...mutation, deployId: DeployId }, success: Deploy, error })

const SetScale = Rpc.make("SetScale", {
  payload: { ...mutation, deployId: DeployId, process: ProcessName, replicas: Schema.Int },
  success: Schema.NullOr(Deploy),
  error
})

const SetHealthCheck = Rpc.make("SetHealthCheck", {
  payload: { ...mutation, deployId: DeployId, health: HealthCheck },
  success: Schema.NullOr(Deploy),
  error
})

const SetSchedule = Rpc.make("SetSchedule", {
  payload: { ...mutation, deployId: DeployId, schedule: Schedule },
  success: Schema.NullOr(Deploy),
  error
})

const SetAutoscaling = Rpc.make("SetAutoscaling", {
  payload: {
    ...mutation,
    deployId: DeployId,
    process: ProcessName,
    autoscaling: Schema.NullOr(Autoscaling)
  },
  success: Schema.NullOr(Deploy),
  error
})

/** Values are sealed already. */
const SetVariables = Rpc.make("SetVariables", {
  payload: {
    ...mutation,
    deployId: DeployId,
    set: Schema.Array(EnvironmentVariable),
    unset: Schema.Array(VariableName)
  },
  success: Schema.NullOr(Deploy),
  error
})

const CancelDeploy = Rpc.make("CancelDeploy", {
  payload: { ...mutation, deployId: DeployId },
  success: Deploy,
  error
})

const StartBuild = Rpc.make("StartBuild", {
  payload: { ...mutation, deployId: DeployId },
  success: Deploy,
  error
})

const RecordRelease = Rpc.make("RecordRelease", {
  payload: {
    ...mutation,
    deployId: DeployId,
    releaseId: ReleaseId,
    buildId: BuildId,
    image: ImageReference,
    digest: Digest,
    processes: Schema.Array(ReleaseProcess),
    /** As the source asks for; `null` leaves the app's setting as it is. */
    healthPath: Schema.NullOr(Schema.String)
  },
  success: Deploy,
  error
})

const StartRollout = Rpc.make("StartRollout", {
  payload: { ...mutation, deployId: DeployId },
  success: Deploy,
  error
})

/** A deploy that has ended stays as it is. */
const FailDeploy = Rpc.make("FailDeploy", {
  payload: { ...mutation, deployId: DeployId, failure: DeployFailure },
  success: Deploy,
  error
})

/** The branch of a live push has moved, or moved elsewhere meanwhile. */
const SettleBranch = Rpc.make("SettleBranch", {
  payload: { ...mutation, deployId: DeployId },
  success: Schema.Void,
  error
})

/** Level-triggered: the same report twice changes nothing. */
const Observe = Rpc.make("Observe", {
  payload: { principal: mutation.principal, observed: Schema.toType(ObservedApp) },
  success: Schema.Void,
  error
})

/** Everything, secrets as ciphertext. */
const GetApp = Rpc.make("GetApp", { success: AppState, error: ReadError })

/** Answers as soon as the deploy has more phases than `phasesSeen` or has ended, or unchanged after `waitMs`. */
const AwaitDeploy = Rpc.make("AwaitDeploy", {
  payload: { deployId: DeployId, phasesSeen: Schema.Int, waitMs: Schema.Int },
  success: Deploy,
  error: ReadError
})

export const AppEntity = Entity.make("App", [
  CreateApp.annotateMerge(mutationAnnotations),
  AcceptPush.annotateMerge(mutationAnnotations),
  RollBack.annotateMerge(mutationAnnotations),
  Restart.annotateMerge(mutationAnnotations),
  SetScale.annotateMerge(mutationAnnotations),
  SetHealthCheck.annotateMerge(mutationAnnotations),
  SetSchedule.annotateMerge(mutationAnnotations),
  SetAutoscaling.annotateMerge(mutationAnnotations),
  SetVariables.annotateMerge(mutationAnnotations),
  CancelDeploy.annotateMerge(mutationAnnotations),
  StartBuild.annotateMerge(mutationAnnotations),
  RecordRelease.annotateMerge(mutationAnnotations),
  StartRollout.annotateMerge(mutationAnnotations),
  FailDeploy.annotateMerge(mutationAnnotations),
  SettleBranch.annotateMerge(mutationAnnotations),
  Observe.annotateMerge(mutationAnnotations),
  GetApp,
  AwaitDeploy.annotateMerge(waitingAnnotations),
  InspectActivity,
  Passivate
])
