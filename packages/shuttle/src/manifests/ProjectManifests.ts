/** What a project has once, whatever number of apps: its namespace, its pods' account, their rights and their room. Pure. */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { containerDefault, containerMax, projectLimits } from "@starform/domain/model/ProjectLimits"
import type { PodSize } from "@starform/domain/model/Tier"
import type { V1ResourceQuota, V1Role, V1RoleBinding, V1ServiceAccount } from "@kubernetes/client-node"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { withDesiredHash } from "./internal/desiredHash.ts"
import { cpuQuantity, memoryQuantity } from "./internal/quantity.ts"
import type { ManifestSettings } from "./ManifestSettings.ts"
import { denyManifest } from "./NetworkManifests.ts"
import { limitsName, quotaName, roleName, serviceAccountName } from "./ObjectNames.ts"
import { projectLabels } from "./ShuttleLabels.ts"

const namespace = (app: DesiredApp, settings: ManifestSettings): Manifest =>
  withDesiredHash({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: app.namespace,
      labels: {
        ...projectLabels(app, settings.clusterId),
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": "latest"
      },
      annotations: {
        "starform.io/project-slug": app.projectSlug,
        "starform.io/workspace-slug": app.workspaceSlug
      }
    }
  })

const metadata = (app: DesiredApp, settings: ManifestSettings, name: string) => ({
  name,
  namespace: app.namespace,
  labels: projectLabels(app, settings.clusterId),
  annotations: {}
})

const serviceAccount = (app: DesiredApp, settings: ManifestSettings): Manifest =>
  withDesiredHash({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: metadata(app, settings, serviceAccountName),
    automountServiceAccountToken: false
  } satisfies Manifest & V1ServiceAccount)

/** Pods have no rights of their own, and no token either. The role is where a right would be given, and says that none is. */
const role = (app: DesiredApp, settings: ManifestSettings): Manifest =>
  withDesiredHash({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: metadata(app, settings, roleName),
    rules: []
  } satisfies Manifest & V1Role)

const roleBinding = (app: DesiredApp, settings: ManifestSettings): Manifest =>
  withDesiredHash({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: metadata(app, settings, roleName),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: roleName },
    subjects: [{ kind: "ServiceAccount", name: serviceAccountName, namespace: app.namespace }]
  } satisfies Manifest & V1RoleBinding)

const quota = (app: DesiredApp, settings: ManifestSettings): Manifest => {
  const cpu = cpuQuantity(projectLimits.cpuMillicores)
  const memory = memoryQuantity(projectLimits.memoryMebibytes)
  return withDesiredHash({
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: metadata(app, settings, quotaName),
    spec: {
      hard: {
        pods: String(projectLimits.pods),
        "requests.cpu": cpu,
        "requests.memory": memory,
        "limits.cpu": cpu,
        "limits.memory": memory,
        "services.loadbalancers": String(projectLimits.loadBalancerServices),
        "services.nodeports": String(projectLimits.nodePortServices)
      }
    }
  } satisfies Manifest & V1ResourceQuota)
}

const quantities = ({ cpuMillicores, memoryMebibytes }: PodSize) => ({
  cpu: cpuQuantity(cpuMillicores),
  memory: memoryQuantity(memoryMebibytes)
})

/** Ours name their size; what somebody else starts in the namespace counts against the quota with the smallest. */
const limits = (app: DesiredApp, settings: ManifestSettings): Manifest => {
  const size = quantities(containerDefault)
  return withDesiredHash({
    apiVersion: "v1",
    kind: "LimitRange",
    metadata: metadata(app, settings, limitsName),
    spec: {
      limits: [{ type: "Container", default: size, defaultRequest: size, max: quantities(containerMax) }]
    }
  })
}

/** @param app any app of the project; all give the same answer */
export const projectManifests = (app: DesiredApp, settings: ManifestSettings): ReadonlyArray<Manifest> => [
  namespace(app, settings),
  serviceAccount(app, settings),
  role(app, settings),
  roleBinding(app, settings),
  denyManifest(app, settings),
  quota(app, settings),
  limits(app, settings)
]
