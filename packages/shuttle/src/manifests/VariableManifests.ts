/** An app's variables: secret ones in a Secret, plain ones in a ConfigMap; both reach the process by `envFrom`. Pure. */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import type { V1ConfigMap, V1Secret } from "@kubernetes/client-node"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { withDesiredHash } from "./internal/desiredHash.ts"
import type { ManifestSettings } from "./ManifestSettings.ts"
import { configName, secretName } from "./ObjectNames.ts"
import { provenance, variablesChecksum } from "./ShuttleAnnotations.ts"
import { appLabels, ownVarGroupId, varGroupLabel } from "./ShuttleLabels.ts"

const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64")

const metadata = (app: DesiredApp, settings: ManifestSettings) => ({
  namespace: app.namespace,
  labels: appLabels(app, settings.clusterId),
  annotations: provenance(app)
})

const secret = (app: DesiredApp, settings: ManifestSettings): Manifest => {
  const varGroupId = ownVarGroupId(app)
  const common = metadata(app, settings)
  const shell = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      ...common,
      name: secretName(varGroupId),
      labels: { ...common.labels, [varGroupLabel]: varGroupId }
    },
    type: "Opaque"
  } as const
  const entries = app.variables.filter((variable) => variable.secret)
  const data = Object.fromEntries(entries.map(({ key, value }) => [key, base64(value)]))
  return withDesiredHash({ ...shell, data } satisfies Manifest & V1Secret, {
    shell,
    data: variablesChecksum(app.variables)
  })
}

const config = (app: DesiredApp, settings: ManifestSettings): Manifest => {
  const entries = app.variables.filter((variable) => !variable.secret)
  return withDesiredHash({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { ...metadata(app, settings), name: configName(app) },
    data: Object.fromEntries(entries.map(({ key, value }) => [key, value]))
  } satisfies Manifest & V1ConfigMap)
}

export const variableManifests = (app: DesiredApp, settings: ManifestSettings): ReadonlyArray<Manifest> => [
  secret(app, settings),
  config(app, settings)
]
