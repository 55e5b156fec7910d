/**
 * Names of the objects in a project's namespace: readable, at most 46 characters (so that the names that Kubernetes
 * derives from them keep within 63), equal for equal apps, and different for different ones (INV-MAN-2).
 */
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { sha256Hex } from "../hashing/Sha256.ts"
import { compactUuid } from "./ShuttleLabels.ts"

/** A Deployment's pods append `-<10 characters>-<5 characters>` to its name; 63 is the limit of a label and a host. */
const nameLengthMax = 46
const hashLength = 8

const named = (app: DesiredApp, ...parts: ReadonlyArray<string>): string => {
  const hash = sha256Hex([app.appId, ...parts].join("/")).slice(0, hashLength)
  const readable = [app.environment, app.serviceName, ...parts].join("-")
  const start = /^[0-9]/.test(readable) ? `a${readable}` : readable
  return `${start.slice(0, nameLengthMax - hashLength - 1).replace(/-+$/, "")}-${hash}`
}

export const serviceAccountName = "starform"
export const roleName = "starform"
export const quotaName = "starform"
export const limitsName = "starform"
export const denyName = "default-deny"
export const inventoryName = "starform-inventory"

export const deploymentName = (app: DesiredApp, process: string): string => named(app, process)
export const serviceName = (app: DesiredApp): string => named(app)
export const configName = (app: DesiredApp): string => named(app, "config")
/** Its Jobs append a number: a CronJob's name has at most 52 characters. */
export const cronJobName = (app: DesiredApp, process: string): string => named(app, process)
/** @source reference specification §6.5 */
export const isolationName = (environment: string): string => `env-isolation-${environment}`
/** The Secret of a variable group is `vg-<id>`. */
export const secretName = (varGroupId: string): string => `vg-${varGroupId}`

/**
 * `<project><service>-<environment>`, ids as 32 hex digits: metrics are attributed by taking this name apart.
 *
 * @source reference specification §2 and §10.1
 */
export const routeName = (app: DesiredApp): string =>
  `${compactUuid(app.projectId)}${compactUuid(app.serviceId)}-${app.environment}`
