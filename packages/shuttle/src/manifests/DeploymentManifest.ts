/** One process type of an app → its Deployment, and what belongs to how many copies of it there are. Pure. */
import type { DesiredApp, DesiredAutoscaling, DesiredProcess } from "@starform/domain/desired/DesiredState"
import type {
  V1Container,
  V1Deployment,
  V1PodDisruptionBudget,
  V1Probe,
  V1TopologySpreadConstraint,
  V2HorizontalPodAutoscaler,
  V2MetricSpec
} from "@kubernetes/client-node"
import * as Duration from "effect/Duration"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { withDesiredHash } from "./internal/desiredHash.ts"
import type { ManifestSettings } from "./ManifestSettings.ts"
import { deploymentName } from "./ObjectNames.ts"
import { podSpec, workloadAnnotations, workloadLabels } from "./PodSpec.ts"
import { provenance, templateAnnotations } from "./ShuttleAnnotations.ts"
import { podSelector } from "./ShuttleLabels.ts"

export const portName = "http"

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

/**
 * Over machines and over zones, as far as that goes: a copy that finds no better place starts all the same. Copies of the
 * template before do not count, or a rolling update would crowd where they are not.
 */
const spread = (app: DesiredApp, process: DesiredProcess): Array<V1TopologySpreadConstraint> =>
  ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: { ...podSelector(app, process.name) } },
    matchLabelKeys: ["pod-template-hash"]
  }))

export const deploymentManifest = (
  app: DesiredApp,
  process: DesiredProcess,
  settings: ManifestSettings
): Manifest => {
  const labels = workloadLabels(app, process, settings)
  return withDesiredHash({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: deploymentName(app, process.name),
      namespace: app.namespace,
      labels,
      annotations: workloadAnnotations(app)
    },
    spec: {
      // Of an autoscaled process the number is the cluster's: naming it here would take it back at every apply.
      ...(process.autoscaling === undefined ? { replicas: process.replicas } : {}),
      revisionHistoryLimit: 5,
      progressDeadlineSeconds: app.startupSeconds + Math.ceil(Duration.toSeconds(settings.progressMargin)),
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      selector: { matchLabels: { ...podSelector(app, process.name) } },
      template: {
        metadata: { labels, annotations: { ...templateAnnotations(app, process) } },
        spec: {
          ...podSpec(
            app,
            process,
            settings,
            process.containerPort === null ? {} : listening(app, process.containerPort, settings)
          ),
          topologySpreadConstraints: spread(app, process)
        }
      }
    }
  } satisfies Manifest & V1Deployment)
}

const utilization = (name: string, percent: number | null): Array<V2MetricSpec> =>
  percent === null
    ? []
    : [
        {
          type: "Resource",
          resource: { name, target: { type: "Utilization", averageUtilization: percent } }
        }
      ]

const metadataOf = (app: DesiredApp, process: DesiredProcess, settings: ManifestSettings) => ({
  name: deploymentName(app, process.name),
  namespace: app.namespace,
  labels: workloadLabels(app, process, settings),
  annotations: provenance(app)
})

const autoscaler = (
  app: DesiredApp,
  process: DesiredProcess,
  scaling: DesiredAutoscaling,
  settings: ManifestSettings
): Manifest =>
  withDesiredHash({
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: metadataOf(app, process, settings),
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: deploymentName(app, process.name) },
      minReplicas: scaling.minReplicas,
      maxReplicas: scaling.maxReplicas,
      metrics: [...utilization("cpu", scaling.cpuPercent), ...utilization("memory", scaling.memoryPercent)]
    }
  } satisfies Manifest & V2HorizontalPodAutoscaler)

/** A copy that is not ready may always be evicted: it serves nobody, and must not hold up a machine's maintenance. */
const disruptionBudget = (app: DesiredApp, process: DesiredProcess, settings: ManifestSettings): Manifest =>
  withDesiredHash({
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: metadataOf(app, process, settings),
    spec: {
      maxUnavailable: 1,
      selector: { matchLabels: { ...podSelector(app, process.name) } },
      unhealthyPodEvictionPolicy: "AlwaysAllow"
    }
  } satisfies Manifest & V1PodDisruptionBudget)

/** Where only one copy is wanted at least, one may go at any time as it is. */
export const copiesManifests = (
  app: DesiredApp,
  process: DesiredProcess,
  settings: ManifestSettings
): ReadonlyArray<Manifest> => {
  const { autoscaling } = process
  const least = autoscaling?.minReplicas ?? process.replicas
  return [
    ...(autoscaling === undefined ? [] : [autoscaler(app, process, autoscaling, settings)]),
    ...(least > 1 ? [disruptionBudget(app, process, settings)] : [])
  ]
}
