/** One process type of an app → its Deployment. Pure. */
import type { DesiredApp, DesiredProcess } from "@starform/domain/desired/DesiredState"
import type {
  V1Container,
  V1Deployment,
  V1EnvVar,
  V1PodSecurityContext,
  V1Probe,
  V1SecurityContext
} from "@kubernetes/client-node"
import * as Duration from "effect/Duration"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { withDesiredHash } from "./internal/desiredHash.ts"
import { cpuQuantity, memoryQuantity } from "./internal/quantity.ts"
import type { ManifestSettings } from "./ManifestSettings.ts"
import { configName, deploymentName, secretName, serviceAccountName } from "./ObjectNames.ts"
import { provenance, templateAnnotations } from "./ShuttleAnnotations.ts"
import { appLabels, ownVarGroupId, podSelector, processLabel } from "./ShuttleLabels.ts"

export const containerName = "app"
export const portName = "http"

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

const probeTarget = (app: DesiredApp): V1Probe =>
  app.healthPath === null
    ? { tcpSocket: { port: portName } }
    : { httpGet: { path: app.healthPath, port: portName, scheme: "HTTP" } }

/**
 * Start-up is asked every second, so that readiness is noticed as soon as it is there and the app's whole start-up time
 * is the number of failures that are allowed.
 */
const probes = (app: DesiredApp): Pick<V1Container, "startupProbe" | "readinessProbe" | "livenessProbe"> => ({
  startupProbe: {
    ...probeTarget(app),
    periodSeconds: 1,
    timeoutSeconds: 1,
    successThreshold: 1,
    failureThreshold: app.startupSeconds
  },
  readinessProbe: {
    ...probeTarget(app),
    periodSeconds: 2,
    timeoutSeconds: 2,
    successThreshold: 1,
    failureThreshold: 3
  },
  livenessProbe: {
    ...probeTarget(app),
    periodSeconds: 10,
    timeoutSeconds: 5,
    successThreshold: 1,
    failureThreshold: 3
  }
})

const listening = (
  app: DesiredApp,
  port: number,
  settings: ManifestSettings
): Pick<V1Container, "ports" | "lifecycle" | "startupProbe"> => ({
  ports: [{ name: portName, containerPort: port, protocol: "TCP" }],
  lifecycle: { preStop: { sleep: { seconds: Math.ceil(Duration.toSeconds(settings.preStopWait)) } } },
  ...probes(app)
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

const container = (app: DesiredApp, process: DesiredProcess, settings: ManifestSettings): V1Container => {
  const resources = {
    cpu: cpuQuantity(process.cpuMillicores),
    memory: memoryQuantity(process.memoryMebibytes)
  }
  return {
    name: containerName,
    image: app.image,
    imagePullPolicy: "IfNotPresent",
    ...(process.command.length === 0 ? {} : { command: [...process.command] }),
    envFrom: [
      { configMapRef: { name: configName(app) } },
      { secretRef: { name: secretName(ownVarGroupId(app)) } }
    ],
    env: [...identity(app, process.containerPort)],
    resources: { requests: resources, limits: resources },
    securityContext: containerSecurity,
    ...(process.containerPort === null ? {} : listening(app, process.containerPort, settings))
  }
}

export const deploymentManifest = (
  app: DesiredApp,
  process: DesiredProcess,
  settings: ManifestSettings
): Manifest => {
  const labels = { ...appLabels(app, settings.clusterId), [processLabel]: process.name }
  return withDesiredHash({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: deploymentName(app, process.name),
      namespace: app.namespace,
      labels,
      annotations: provenance(app)
    },
    spec: {
      replicas: process.replicas,
      revisionHistoryLimit: 5,
      progressDeadlineSeconds: app.startupSeconds + Math.ceil(Duration.toSeconds(settings.progressMargin)),
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      selector: { matchLabels: { ...podSelector(app, process.name) } },
      template: {
        metadata: { labels, annotations: { ...templateAnnotations(app, process) } },
        spec: {
          serviceAccountName,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: Math.ceil(Duration.toSeconds(settings.terminationGrace)),
          securityContext: podSecurity(settings.podUser),
          containers: [container(app, process, settings)]
        }
      }
    }
  } satisfies Manifest & V1Deployment)
}
