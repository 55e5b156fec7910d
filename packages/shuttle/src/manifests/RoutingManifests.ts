/** How the world reaches an app's web process: a Service, and a route when it has host names. Pure. */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import type { V1Service } from "@kubernetes/client-node"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { portName } from "./DeploymentManifest.ts"
import { withDesiredHash } from "./internal/desiredHash.ts"
import type { ManifestSettings } from "./ManifestSettings.ts"
import { routeName, serviceName } from "./ObjectNames.ts"
import { provenance } from "./ShuttleAnnotations.ts"
import { appLabels, podSelector } from "./ShuttleLabels.ts"

/** Port of every Service; the container's own port stays behind its name. */
const servicePort = 80

const service = (app: DesiredApp, process: string, settings: ManifestSettings): Manifest =>
  withDesiredHash({
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: serviceName(app),
      namespace: app.namespace,
      labels: appLabels(app, settings.clusterId),
      annotations: provenance(app)
    },
    spec: {
      type: "ClusterIP",
      selector: { ...podSelector(app, process) },
      ports: [
        { name: portName, port: servicePort, targetPort: portName, protocol: "TCP", appProtocol: "http" }
      ]
    }
  } satisfies Manifest & V1Service)

const route = (app: DesiredApp, settings: ManifestSettings): Manifest =>
  withDesiredHash({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: {
      name: routeName(app),
      namespace: app.namespace,
      labels: appLabels(app, settings.clusterId),
      annotations: provenance(app)
    },
    spec: {
      parentRefs: [
        {
          group: "gateway.networking.k8s.io",
          kind: "Gateway",
          name: settings.gatewayName,
          namespace: settings.gatewayNamespace
        }
      ],
      hostnames: [...app.hostnames],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: "/" } }],
          backendRefs: [{ group: "", kind: "Service", name: serviceName(app), port: servicePort, weight: 1 }]
        }
      ]
    }
  })

export const routingManifests = (app: DesiredApp, settings: ManifestSettings): ReadonlyArray<Manifest> => {
  const web = app.processes.find((process) => process.containerPort !== null)
  if (app.serviceType !== "web" || web === undefined) return []
  return [service(app, web.name, settings), ...(app.hostnames.length === 0 ? [] : [route(app, settings)])]
}
