/** What the pods of one process type are made of, whatever runs them. Pure. */
import type { DesiredApp, DesiredProcess } from "@starform/domain/desired/DesiredState"
import type {
  V1Container,
  V1EnvFromSource,
  V1EnvVar,
  V1PodSecurityContext,
  V1PodSpec,
  V1SecurityContext
} from "@kubernetes/client-node"
import * as Duration from "effect/Duration"
import { cpuQuantity, memoryQuantity } from "./internal/quantity.ts"
import type { ManifestSettings } from "./ManifestSettings.ts"
import { configName, secretName, serviceAccountName } from "./ObjectNames.ts"
import { attachedGroups, groupsRead, provenance } from "./ShuttleAnnotations.ts"
import { appLabels, ownVarGroupId, processLabel } from "./ShuttleLabels.ts"

const containerName = "app"

/** The restricted pod security standard, and nothing beyond it: apps write where their image lets them. */
const containerSecurity: V1SecurityContext = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] }
}

const podSecurity = (user: number): V1PodSecurityContext => ({
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  fsGroup: user,
  seccompProfile: { type: "RuntimeDefault" }
})

/** What a process may know of itself. Comes after `envFrom`: an app's variables cannot say otherwise. */
const identity = (app: DesiredApp, port: number | null): ReadonlyArray<V1EnvVar> => [
  { name: "STARFORM_PROJECT", value: app.projectSlug },
  { name: "STARFORM_ENVIRONMENT", value: app.environment },
  { name: "STARFORM_SERVICE", value: app.serviceName },
  { name: "STARFORM_RELEASE_ID", value: app.releaseId },
  { name: "STARFORM_GIT_COMMIT", value: app.provenance.gitSha },
  ...(port === null ? [] : [{ name: "PORT", value: String(port) }])
]

/** Of a key that is in several, the last one wins. */
const variableSources = (app: DesiredApp): Array<V1EnvFromSource> => [
  ...attachedGroups(app).map(({ id }) => ({ secretRef: { name: secretName(id) } })),
  { configMapRef: { name: configName(app) } },
  { secretRef: { name: secretName(ownVarGroupId(app)) } }
]

const container = (app: DesiredApp, process: DesiredProcess, serving: Partial<V1Container>): V1Container => {
  const resources = {
    cpu: cpuQuantity(process.cpuMillicores),
    memory: memoryQuantity(process.memoryMebibytes)
  }
  return {
    name: containerName,
    image: app.image,
    imagePullPolicy: "IfNotPresent",
    ...(process.command.length === 0 ? {} : { command: [...process.command] }),
    envFrom: variableSources(app),
    env: [...identity(app, process.containerPort)],
    resources: { requests: resources, limits: resources },
    securityContext: containerSecurity,
    ...serving
  }
}

/** @param serving what the container has because it listens: port, probes and drain */
export const podSpec = (
  app: DesiredApp,
  process: DesiredProcess,
  settings: ManifestSettings,
  serving: Partial<V1Container> = {}
): V1PodSpec => ({
  serviceAccountName,
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  terminationGracePeriodSeconds: Math.ceil(Duration.toSeconds(settings.terminationGrace)),
  securityContext: podSecurity(settings.podUser),
  containers: [container(app, process, serving)]
})

/** Of a workload's object and of its pods. */
export const workloadLabels = (
  app: DesiredApp,
  process: DesiredProcess,
  settings: ManifestSettings
): Readonly<Record<string, string>> => ({
  ...appLabels(app, settings.clusterId),
  [processLabel]: process.name,
  "app.kubernetes.io/component": process.name
})

/** Of a workload's object: where it comes from, and which shared groups it reads. */
export const workloadAnnotations = (app: DesiredApp): Readonly<Record<string, string>> => ({
  ...provenance(app),
  ...groupsRead(app)
})
