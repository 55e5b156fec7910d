/**
 * Provenance of what runs, and the annotations whose change starts pods anew.
 *
 * @source reference specification §3.3 and §3.4
 */
import { canonicalJson } from "@starform/domain/desired/DocumentHash"
import type { DesiredApp, DesiredProcess, DesiredVarGroup } from "@starform/domain/desired/DesiredState"
import { sha256Hex } from "../hashing/Sha256.ts"

export const appIdAnnotation = "starform.io/app-id"
export const deploymentIdAnnotation = "starform.io/deployment-id"
export const ordinalAnnotation = "starform.io/deploy-ordinal"
export const releaseIdAnnotation = "starform.io/release-id"
/** Shared variable groups that a workload reads, by id: as long as one names it, the group's Secret stays. */
export const varGroupsAnnotation = "starform.io/var-groups"
/** Of a shared group's Secret. */
export const varGroupVersionAnnotation = "starform.io/var-group-version"
/** Hash of the whole manifest as we last wanted it. */
export const desiredHashAnnotation = "starform.io/desired-hash"

const checksum = (value: unknown): string => `sha256:${sha256Hex(canonicalJson(value))}`

/** What the release is: the same for every deploy of it, so part of the pod template. */
const releaseProvenance = (app: DesiredApp): Readonly<Record<string, string>> => ({
  [releaseIdAnnotation]: app.releaseId,
  "starform.io/build-id": app.provenance.buildId,
  "starform.io/git-sha": app.provenance.gitSha,
  "starform.io/git-ref": app.provenance.gitRef,
  "starform.io/git-repo": app.provenance.gitRepo,
  "starform.io/image-ref": app.image
})

/** Of every object of one app. */
export const provenance = (app: DesiredApp): Readonly<Record<string, string>> => ({
  ...releaseProvenance(app),
  [appIdAnnotation]: app.appId,
  [deploymentIdAnnotation]: app.deployId,
  [ordinalAnnotation]: String(app.ordinal),
  "starform.io/deployed-at": app.deployedAt,
  "starform.io/deployed-by": app.deployedBy,
  "kubernetes.io/change-cause": `Deployment ${app.deployId} by ${app.deployedBy}`
})

const entriesText = (variables: DesiredApp["variables"]): string =>
  canonicalJson(
    variables
      .map(({ key, secret, version }) => ({ key, secret, version }))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
  )

/** Of one group. A version stands for its value: it changes with it and tells nothing about it, so this may be shown. */
export const variablesChecksum = (variables: DesiredApp["variables"]): string =>
  `sha256:${sha256Hex(entriesText(variables))}`

/** The groups of an app in the order in which they are attached; of equal keys the later one wins. */
export const attachedGroups = (app: DesiredApp): ReadonlyArray<DesiredVarGroup> =>
  [...(app.varGroups ?? [])].sort((a, b) => a.attachOrder - b.attachOrder)

/** Over every group of an app by the order in which they are attached, its own variables last, entries sorted by key. */
const varGroupChecksum = (app: DesiredApp): string =>
  `sha256:${sha256Hex([...attachedGroups(app), app].map(({ variables }) => entriesText(variables)).join(""))}`

/** Over what is configured about one process: command, port, size and probes; not how many copies. */
const configChecksum = (app: DesiredApp, process: DesiredProcess): string =>
  checksum({
    command: process.command,
    containerPort: process.containerPort,
    cpuMillicores: process.cpuMillicores,
    memoryMebibytes: process.memoryMebibytes,
    healthPath: app.healthPath,
    startupSeconds: app.startupSeconds
  })

/** Which shared groups a workload and its pods read; nothing for none. */
export const groupsRead = (app: DesiredApp): Readonly<Record<string, string>> => {
  const groups = attachedGroups(app).map(({ id }) => id)
  return groups.length === 0 ? {} : { [varGroupsAnnotation]: groups.join(",") }
}

export const templateAnnotations = (
  app: DesiredApp,
  process: DesiredProcess
): Readonly<Record<string, string>> => ({
  ...releaseProvenance(app),
  ...groupsRead(app),
  "starform.io/var-group-checksum": varGroupChecksum(app),
  "starform.io/config-checksum": configChecksum(app, process),
  "starform.io/restart-nonce": app.restartNonce
})

/** Of a manifest; `hashed` stands for it where its text holds secrets. */
export const desiredHash = (hashed: unknown): string => checksum(hashed)
