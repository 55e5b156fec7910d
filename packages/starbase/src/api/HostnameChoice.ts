/** The generated host names of an app. Pure. */
import { createHash } from "node:crypto"
import type { AppId } from "@starform/domain/ids/AppId"
import { type EnvironmentName, Hostname, type Slug } from "@starform/domain/ids/Slug"

/** Longest DNS label. */
const labelMax = 63

/**
 * Host names in the order of preference: `<service>-<project>` in production, `<service>-<environment>-<project>`
 * elsewhere, then the same with six characters of the app id's hash. A label over 63 characters always gets the hash.
 *
 * @param domain what follows the label, with its dot, e.g. `.starform.app`
 * @source design §4
 */
export const candidates = (
  app: {
    readonly appId: AppId
    readonly service: Slug
    readonly environment: EnvironmentName
    readonly project: Slug
  },
  domain: string
): readonly [Hostname, ...ReadonlyArray<Hostname>] => {
  const middle = app.environment === "production" ? "" : `-${app.environment}`
  const label = `${app.service}${middle}-${app.project}`
  const hash = createHash("sha256").update(app.appId).digest("hex").slice(0, 6)
  const room = labelMax - hash.length - 1
  const hashed = Hostname.make(`${label.slice(0, room).replace(/-+$/, "")}-${hash}${domain}`)
  return label.length > labelMax ? [hashed] : [Hostname.make(`${label}${domain}`), hashed]
}
