/** An object that several apps of a project need, and those apps: what goes wrong with it is theirs alone. */
import type { AppId } from "@starform/domain/ids/AppId"
import type { Manifest } from "../kubernetes/Manifest.ts"

export interface SharedManifest {
  readonly manifest: Manifest
  readonly users: ReadonlySet<AppId>
}
