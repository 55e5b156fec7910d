/**
 * Provenance of what runs, and the annotations whose change starts pods anew.
 *
 * @source reference specification §3.3 and §3.4
 */
import { canonicalJson } from "@starform/domain/desired/DocumentHash"
import type { DesiredApp, DesiredProcess } from "@starform/domain/desired/DesiredState"
import { sha256Hex } from "../hashing/Sha256.ts"

export const appIdAnnotation = "starform.io/app-id"
export const deploymentIdAnnotation = "starform.io/deployment-id"
export const ordinalAnnotation = "starform.io/deploy-ordinal"
export const releaseIdAnnotation = "starform.io/release-id"
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

/**
 * Over the one group that an app's own variables are, entries sorted by key. A version stands for its value: it changes
 * with it and tells nothing about it, so this text may be shown with the pod.
 */
export const varGroupChecksum = (app: DesiredApp): string =>
  checksum(
    app.variables
      .map(({ key, secret, version }) => ({ key, secret, version }))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
  )

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

export const templateAnnotations = (
  app: DesiredApp,
  process: DesiredProcess
): Readonly<Record<string, string>> => ({
  ...releaseProvenance(app),
  "starform.io/var-group-checksum": varGroupChecksum(app),
  "starform.io/config-checksum": configChecksum(app, process),
  "starform.io/restart-nonce": app.restartNonce
})

/** Of a manifest; `hashed` stands for it where its text holds secrets. */
export const desiredHash = (hashed: unknown): string => checksum(hashed)
