/** What a project has once, whatever number of apps: its namespace and the account that its pods run as. Pure. */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import type { V1ServiceAccount } from "@kubernetes/client-node"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { withDesiredHash } from "./internal/desiredHash.ts"
import type { ManifestSettings } from "./ManifestSettings.ts"
import { serviceAccountName } from "./ObjectNames.ts"
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

const serviceAccount = (app: DesiredApp, settings: ManifestSettings): Manifest =>
  withDesiredHash({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: {
      name: serviceAccountName,
      namespace: app.namespace,
      labels: projectLabels(app, settings.clusterId),
      annotations: {}
    },
    automountServiceAccountToken: false
  } satisfies Manifest & V1ServiceAccount)

/** @param app any app of the project; all give the same answer */
export const projectManifests = (app: DesiredApp, settings: ManifestSettings): ReadonlyArray<Manifest> => [
  namespace(app, settings),
  serviceAccount(app, settings)
]
