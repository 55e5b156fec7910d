/**
 * Variable groups that several apps of a project share: one Secret for each, whoever reads it. Pure.
 *
 * Entries are written when their app is deployed, so two apps may carry different versions of one group for a while. The
 * higher version is what is, for all of them (INV-MAN-6): written by turns, each pass would undo the other's.
 */
import type { DesiredApp, DesiredVarGroup } from "@starform/domain/desired/DesiredState"
import type { AppId } from "@starform/domain/ids/AppId"
import type { V1Secret } from "@kubernetes/client-node"
import type { Manifest } from "../kubernetes/Manifest.ts"
import { withDesiredHash } from "./internal/desiredHash.ts"
import type { ManifestSettings } from "./ManifestSettings.ts"
import { secretName } from "./ObjectNames.ts"
import type { SharedManifest } from "./SharedManifest.ts"
import { variablesChecksum, varGroupVersionAnnotation } from "./ShuttleAnnotations.ts"
import { compactUuid, projectLabels, varGroupLabel } from "./ShuttleLabels.ts"

interface Attachment {
  readonly app: DesiredApp
  readonly group: DesiredVarGroup
}

/** Of one version with two contents, which must not be, the same one is chosen whatever the order of the apps. */
const isNewer = (a: DesiredVarGroup, b: DesiredVarGroup): boolean =>
  a.version === b.version
    ? variablesChecksum(a.variables) > variablesChecksum(b.variables)
    : a.version > b.version

const secret = ({ app, group }: Attachment, settings: ManifestSettings): Manifest => {
  const shell = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: secretName(group.id),
      namespace: app.namespace,
      labels: { ...projectLabels(app, settings.clusterId), [varGroupLabel]: compactUuid(group.id) },
      annotations: { [varGroupVersionAnnotation]: String(group.version) }
    },
    type: "Opaque"
  } as const
  const data = Object.fromEntries(
    group.variables.map(({ key, value }) => [key, Buffer.from(value, "utf8").toString("base64")])
  )
  return withDesiredHash({ ...shell, data } satisfies Manifest & V1Secret, {
    shell,
    data: variablesChecksum(group.variables)
  })
}

/** @param apps of one project */
export const varGroupManifests = (
  apps: ReadonlyArray<DesiredApp>,
  settings: ManifestSettings
): ReadonlyArray<SharedManifest> => {
  const newest = new Map<string, Attachment>()
  const users = new Map<string, Set<AppId>>()
  for (const app of apps) {
    for (const group of app.varGroups ?? []) {
      const known = newest.get(group.id)
      if (known === undefined || isNewer(group, known.group)) newest.set(group.id, { app, group })
      users.set(group.id, (users.get(group.id) ?? new Set<AppId>()).add(app.appId))
    }
  }
  return Array.from(newest, ([id, attachment]) => ({
    manifest: secret(attachment, settings),
    users: users.get(id) ?? new Set<AppId>()
  }))
}
