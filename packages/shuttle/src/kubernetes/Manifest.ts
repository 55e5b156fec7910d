/** An object as we send it to server-side apply: the fields that are named here become ours. */
import type { ObjectReference, ResourceKind } from "./ResourceKind.ts"

export interface ManifestMetadata {
  readonly name: string
  /** Absent for kinds without a namespace. */
  readonly namespace?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export interface Manifest {
  readonly apiVersion: string
  readonly kind: ResourceKind
  readonly metadata: ManifestMetadata
  readonly [field: string]: unknown
}

export const referenceOf = (manifest: Manifest): ObjectReference => ({
  kind: manifest.kind,
  namespace: manifest.metadata.namespace ?? null,
  name: manifest.metadata.name
})
