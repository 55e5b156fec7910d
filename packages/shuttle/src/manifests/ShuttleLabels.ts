/**
 * Labels and annotations, as the platform's other parts read them: network policies, log and metric attribution,
 * billing and the agent itself. UUIDs are written as 32 hex digits, as in route names.
 *
 * @source reference specification §3 and §10.1
 */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { ClusterId, ProjectId, ServiceId, WorkspaceId } from "@starform/domain/ids/Ids"
import { EnvironmentName, ProcessName } from "@starform/domain/ids/Slug"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { sha256Hex } from "../hashing/Sha256.ts"

export const managedByLabel = "starform.io/managed-by"
const workspaceLabel = "starform.io/workspace-id"
export const projectLabel = "starform.io/project-id"
export const environmentLabel = "starform.io/environment"
const serviceLabel = "starform.io/service-id"
const serviceNameLabel = "starform.io/service-name"
export const clusterLabel = "starform.io/cluster-id"
export const varGroupLabel = "starform.io/var-group-id"
const tierLabel = "starform.io/tier"
const serviceTypeLabel = "starform.io/service-type"
export const processLabel = "starform.io/process"

/** Of the namespace that the gateway's pods are in. */
export const namespaceRoleLabel = "starform.io/namespace-role"

export const managedBy = "shuttle"

/** What the watch loops ask for. */
export const managedSelector = `${managedByLabel}=${managedBy}`

/** 32 hex digits of a UUID. */
export const compactUuid = (uuid: string): string => uuid.replaceAll("-", "")

export const isManaged = (labels: Readonly<Record<string, string>>): boolean =>
  labels[managedByLabel] === managedBy

/** Whose an object is by its labels: a project on a cluster. */
export const ownerOfLabels = (labels: Readonly<Record<string, string>>): string =>
  `${labels[projectLabel] ?? ""} ${labels[clusterLabel] ?? ""}`

/** Of objects that the project has once: namespace, service account, inventory. */
export const projectLabels = (app: DesiredApp, clusterId: ClusterId): Readonly<Record<string, string>> => ({
  [managedByLabel]: managedBy,
  [workspaceLabel]: compactUuid(app.workspaceId),
  [projectLabel]: compactUuid(app.projectId),
  [clusterLabel]: compactUuid(clusterId),
  "app.kubernetes.io/managed-by": "starform",
  "app.kubernetes.io/part-of": app.projectSlug
})

/** Id of the variable group that holds an app's own variables; 32 hex digits. */
export const ownVarGroupId = (app: DesiredApp): string => sha256Hex(`var-group ${app.appId}`).slice(0, 32)

/** Of every object of one app. */
export const appLabels = (app: DesiredApp, clusterId: ClusterId): Readonly<Record<string, string>> => ({
  ...projectLabels(app, clusterId),
  [environmentLabel]: app.environment,
  [serviceLabel]: compactUuid(app.serviceId),
  [serviceNameLabel]: app.serviceName,
  [tierLabel]: app.tier,
  [serviceTypeLabel]: app.serviceType,
  "app.kubernetes.io/name": app.serviceName,
  "app.kubernetes.io/instance": `${app.environment}-${compactUuid(app.serviceId)}`
})

const expandedUuid = (compact: string | undefined): string =>
  (compact ?? "").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")

const Attribution = Schema.Struct({
  clusterId: ClusterId,
  workspaceId: WorkspaceId,
  projectId: ProjectId,
  environment: EnvironmentName,
  serviceId: ServiceId,
  process: ProcessName,
  tier: Schema.String
})

const decodeAttribution = Schema.decodeUnknownOption(Attribution)

/** Whose an object of one app's process is, by its labels; `None` when one is missing or is none of ours. */
export const attributionOf = (
  labels: Readonly<Record<string, string>>
): Option.Option<typeof Attribution.Type> =>
  isManaged(labels)
    ? decodeAttribution({
        clusterId: expandedUuid(labels[clusterLabel]),
        workspaceId: expandedUuid(labels[workspaceLabel]),
        projectId: expandedUuid(labels[projectLabel]),
        environment: labels[environmentLabel],
        serviceId: expandedUuid(labels[serviceLabel]),
        process: labels[processLabel],
        tier: labels[tierLabel]
      })
    : Option.none()

/** Chosen once for an app's process and never changed: a selector is immutable. */
export const podSelector = (app: DesiredApp, process: string): Readonly<Record<string, string>> => ({
  [managedByLabel]: managedBy,
  [projectLabel]: compactUuid(app.projectId),
  [environmentLabel]: app.environment,
  [serviceLabel]: compactUuid(app.serviceId),
  [processLabel]: process
})
