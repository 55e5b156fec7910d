/** What a plan is made from beside the wish: everything that one project shows. Pure. */
import * as Result from "effect/Result"
import { type Inventory, inventoryReference, referenceOfEntry } from "../inventory/Inventory.ts"
import { type Manifest, referenceOf } from "../kubernetes/Manifest.ts"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"
import { keyOf, type ObjectReference } from "../kubernetes/ResourceKind.ts"
import type { DesiredProject } from "./DesiredProject.ts"

/** What the server answered when an object was applied last. */
export interface AppliedRecord {
  readonly uid: string
  readonly desiredHash: string
  /** `ownerOfLabels` of what was applied. */
  readonly owner: string
  readonly ownedFields: string | null
}

export interface Observation {
  /** By key; with our label, or read by name. */
  readonly objects: ReadonlyMap<string, ObservedObject>
  /** Keys of objects that were read and are not there. */
  readonly absent: ReadonlySet<string>
  /** As stored, completed by what is observed. */
  readonly inventory: Inventory
  /** As stored; `null` when there is none or it cannot be read. */
  readonly storedInventory: Inventory | null
  /** By key; empty after a restart. */
  readonly applied: ReadonlyMap<string, AppliedRecord>
}

export const namespaceReference = (namespace: string): ObjectReference => ({
  kind: "Namespace",
  namespace: null,
  name: namespace
})

/** Everything that the present document names in the project, app by app. */
export const wantedManifests = (desired: DesiredProject): ReadonlyArray<Manifest> => [
  ...desired.manifests,
  ...desired.shared.map(({ manifest }) => manifest),
  ...desired.apps.flatMap((app) => (Result.isSuccess(app.manifests) ? app.manifests.success : []))
]

/** Objects whose presence or absence decides something, besides the namespace itself. */
export const decisiveReferences = (
  desired: DesiredProject,
  inventory: Inventory
): ReadonlyArray<ObjectReference> => {
  const wanted = wantedManifests(desired)
    .filter((manifest) => manifest.kind !== "Namespace")
    .map(referenceOf)
  const isWanted = new Set(wanted.map(keyOf))
  const present = new Set<string>(desired.apps.map((app) => app.appId))
  const tombstoned = new Set<string>(desired.tombstones.map((tombstone) => tombstone.appId))
  const retired = [...inventory]
    .filter(([key, { appId, kind }]) => {
      if (isWanted.has(key)) return false
      if (appId === null) return kind === "Secret"
      return tombstoned.has(appId) || present.has(appId)
    })
    .map(([, entry]) => referenceOfEntry(desired.namespace, entry))
  return [...wanted, ...retired, inventoryReference(desired.namespace)]
}
