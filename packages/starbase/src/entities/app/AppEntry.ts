/** From an app's state to what its cluster must run. Pure. */
import { autoscalingOf, containerPort, copiesOf, type AppSettings } from "@starform/domain/model/AppSettings"
import type { Release } from "@starform/domain/model/Release"
import * as Tier from "@starform/domain/model/Tier"
import * as DateTime from "effect/DateTime"
import type { DesiredEntry } from "../../desired/DesiredEntry.ts"
import type { AppIdentity, DeployRecord } from "./AppState.ts"

interface EntrySources {
  readonly settings: AppSettings
  readonly restartNonce: string
}

/** Left out of what does not scale by itself: an older agent computes the hash of what it knows. */
const scaling = (settings: AppSettings, identity: AppIdentity, process: string) => {
  const autoscaling = identity.serviceType === "cron" ? undefined : autoscalingOf(settings, process)
  return autoscaling === undefined ? {} : { autoscaling }
}

export const desiredEntry = (
  identity: AppIdentity,
  { settings, restartNonce }: EntrySources,
  deploy: DeployRecord,
  release: Release
): DesiredEntry => {
  const size = Tier.sizeOf(settings.tier)
  return {
    appId: identity.appId,
    workspaceId: identity.workspaceId,
    workspaceSlug: identity.workspaceSlug,
    projectId: identity.projectId,
    projectSlug: identity.projectSlug,
    environment: identity.environment,
    serviceId: identity.serviceId,
    serviceName: identity.serviceSlug,
    serviceType: identity.serviceType,
    namespace: identity.namespace,
    deployId: deploy.id,
    ordinal: deploy.ordinal,
    releaseId: release.id,
    image: release.image,
    provenance: release.provenance,
    deployedAt: DateTime.formatIso(DateTime.makeUnsafe(deploy.requestedAtMs)),
    deployedBy: deploy.requestedBy,
    tier: settings.tier,
    processes: release.processes.map(({ name, command }) => ({
      name,
      command,
      replicas: copiesOf(settings.scale, identity.serviceType, release.processes, name),
      containerPort: name === "web" ? containerPort : null,
      cpuMillicores: size.cpuMillicores,
      memoryMebibytes: size.memoryMebibytes,
      ...scaling(settings, identity, name)
    })),
    variables: settings.variables,
    hostnames: identity.hostnames,
    healthPath: settings.health.path,
    startupSeconds: settings.health.startupSeconds,
    restartNonce,
    ...(identity.serviceType === "cron" && settings.schedule !== undefined
      ? { schedule: settings.schedule }
      : {})
  }
}
