/**
 * What must be, as Starbase answers it to one Shuttle. The only type that may hold secret values in clear,
 * because its only home is the body of a pull, the agent's memory and its encrypted disk state.
 * Never assignable to what is observed.
 */
import * as Schema from "effect/Schema"
import { AppId } from "../ids/AppId.ts"
import { Digest, ImageReference } from "../ids/Digest.ts"
import { ClusterId, DeployId, ProjectId, ReleaseId, ServiceId, VarGroupId, WorkspaceId } from "../ids/Ids.ts"
import { Cidr } from "../ids/Cidr.ts"
import { Revision } from "../ids/Revision.ts"
import { EnvironmentName, Hostname, NamespaceName, ProcessName, Slug, VariableName } from "../ids/Slug.ts"
import * as Model from "../model/Autoscaling.ts"
import { Provenance } from "../model/Release.ts"
import { Concurrency, CronExpression, TimeZoneName } from "../model/Schedule.ts"
import { ServiceType } from "../model/Workspace.ts"
import * as SnakeCase from "../protocol/SnakeCase.ts"

/**
 * Format number of the document; an agent refuses one above its own and keeps what it has. A fact that came later is an
 * optional field and is left out where nobody uses it, so that an older agent still verifies the document (decision 0019).
 */
export const format = 1

/** While it is there, `replicas` is not applied: the cluster decides between these two numbers. */
export const DesiredAutoscaling = SnakeCase.struct(Model.Autoscaling.fields)
export type DesiredAutoscaling = typeof DesiredAutoscaling.Type

/** One process type of an app: becomes one Deployment, or the CronJob of a service of type `cron`. */
export const DesiredProcess = SnakeCase.struct({
  name: ProcessName,
  command: Schema.Array(Schema.String),
  replicas: Schema.Int,
  /** The port told in `PORT`; `null` for a process that serves none. */
  containerPort: Schema.NullOr(Schema.Int),
  cpuMillicores: Schema.Int,
  memoryMebibytes: Schema.Int,
  autoscaling: Schema.optionalKey(DesiredAutoscaling)
})
export type DesiredProcess = typeof DesiredProcess.Type

export const DesiredVariable = SnakeCase.struct({
  key: VariableName,
  value: Schema.String,
  secret: Schema.Boolean,
  /** Changes with the value and says nothing about it; stands for the value in hashes of the document. */
  version: Schema.String
})
export type DesiredVariable = typeof DesiredVariable.Type

/** A variable group of the project, as it was when Starbase decided on this deploy. */
export const DesiredVarGroup = SnakeCase.struct({
  id: VarGroupId,
  /** Grows with every change of the group: of two entries that carry it, the higher one is what is. */
  version: Schema.Int,
  /** Of a key that several groups of an app have, the one attached last wins; the app's own variables come after all. */
  attachOrder: Schema.Int,
  variables: Schema.Array(DesiredVariable)
})
export type DesiredVarGroup = typeof DesiredVarGroup.Type

/** Where a managed database of the environment is reached. */
export const DesiredDatabase = SnakeCase.struct({
  cidr: Cidr,
  port: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))
})

export const DesiredSchedule = SnakeCase.struct({
  expression: CronExpression,
  timeZone: Schema.NullOr(TimeZoneName),
  concurrency: Concurrency
})
export type DesiredSchedule = typeof DesiredSchedule.Type

/** One app: one service in one environment, at one release. */
export const DesiredApp = SnakeCase.struct({
  appId: AppId,
  workspaceId: WorkspaceId,
  workspaceSlug: Slug,
  projectId: ProjectId,
  projectSlug: Slug,
  environment: EnvironmentName,
  serviceId: ServiceId,
  serviceName: Slug,
  serviceType: ServiceType,
  /** Assigned by Starbase: `proj-<project>`, or `proj-<workspace>-<project>` after a collision on the cluster. */
  namespace: NamespaceName,
  deployId: DeployId,
  /** Of the deploy; a report is matched to it. */
  ordinal: Schema.Int,
  releaseId: ReleaseId,
  image: ImageReference,
  provenance: Provenance,
  /** ISO 8601; when Starbase decided on this deploy. */
  deployedAt: Schema.String,
  /** Principal that asked for the deploy. */
  deployedBy: Schema.String,
  tier: Schema.String,
  processes: Schema.Array(DesiredProcess),
  variables: Schema.Array(DesiredVariable),
  hostnames: Schema.Array(Hostname),
  healthPath: Schema.NullOr(Schema.String),
  startupSeconds: Schema.Int,
  /** Changes when a person asks for a restart; a change forces new pods. */
  restartNonce: Schema.String,
  /** Of a service of type `cron`; without it nothing of it can run. */
  schedule: Schema.optionalKey(DesiredSchedule),
  /** Groups that are attached to this app, beside its own `variables`. */
  varGroups: Schema.optionalKey(Schema.Array(DesiredVarGroup)),
  databases: Schema.optionalKey(Schema.Array(DesiredDatabase))
})
export type DesiredApp = typeof DesiredApp.Type

/** An app that must go away; the only thing that ever prunes. Kept until its absence was reported. */
export const Tombstone = SnakeCase.struct({
  appId: AppId,
  projectId: ProjectId,
  namespace: NamespaceName,
  ordinal: Schema.Int
})
export type Tombstone = typeof Tombstone.Type

export const ClusterConfig = SnakeCase.struct({
  /** Size of the load balancer, 1–200; left out, nobody decides on it. */
  lbSizeUnits: Schema.optionalKey(Schema.Int)
})
export type ClusterConfig = typeof ClusterConfig.Type

/** The whole of it. `apps` and `tombstones` are sorted by app id; no app is in both. */
export const FullState = SnakeCase.struct({
  kind: Schema.Literal("full"),
  format: Schema.Int,
  clusterId: ClusterId,
  revision: Revision,
  /** See `documentHashInput`. */
  hash: Digest,
  clusterConfig: ClusterConfig,
  apps: Schema.Array(DesiredApp),
  tombstones: Schema.Array(Tombstone),
  /** An operator confirmed that more than the agent's prune limit may go in this revision. */
  massPruneConfirmed: Schema.Boolean,
  /** An operator confirmed this epoch; until then an agent that trusted another one, or none, does not prune. */
  epochConfirmed: Schema.Boolean
})
export type FullState = typeof FullState.Type

/** What changed since `base`; applying it must give a document with `hash`, else the agent asks for the full one. */
export const DeltaState = SnakeCase.struct({
  kind: Schema.Literal("delta"),
  format: Schema.Int,
  clusterId: ClusterId,
  base: Revision,
  revision: Revision,
  hash: Digest,
  clusterConfig: ClusterConfig,
  /** New or changed apps, whole. */
  changed: Schema.Array(DesiredApp),
  /** All tombstones that stand at `revision`; their apps leave `apps`. */
  tombstones: Schema.Array(Tombstone),
  massPruneConfirmed: Schema.Boolean,
  epochConfirmed: Schema.Boolean
})
export type DeltaState = typeof DeltaState.Type

export const DesiredState = Schema.Union([FullState, DeltaState])
export type DesiredState = typeof DesiredState.Type
