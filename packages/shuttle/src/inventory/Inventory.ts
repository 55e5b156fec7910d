/** What we own in one project namespace. Pure; see README for the life of an entry. */
import { AppId } from "@starform/domain/ids/AppId"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Manifest } from "../kubernetes/Manifest.ts"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"
import { apiVersionOf, keyOf, type ObjectReference, writtenKinds } from "../kubernetes/ResourceKind.ts"
import { inventoryName } from "../manifests/ObjectNames.ts"
import { appIdAnnotation } from "../manifests/ShuttleAnnotations.ts"
import { isManaged } from "../manifests/ShuttleLabels.ts"

export const InventoryEntry = Schema.Struct({
  apiVersion: Schema.String,
  kind: Schema.Literals(writtenKinds),
  name: Schema.String,
  /** `null` until the object was seen. */
  uid: Schema.NullOr(Schema.String),
  /** `null` for what the project has once. */
  appId: Schema.NullOr(AppId)
})
export type InventoryEntry = typeof InventoryEntry.Type

/** By `keyOf` of the object, in that order. */
export type Inventory = ReadonlyMap<string, InventoryEntry>

export const empty: Inventory = new Map()

const dataKey = "inventory.json"
const Stored = Schema.Struct({ [dataKey]: Schema.fromJsonString(Schema.Array(InventoryEntry)) })
const decodeStored = Schema.decodeUnknownOption(Stored)
const encodeEntries = Schema.encodeSync(Schema.fromJsonString(Schema.Array(InventoryEntry)))
const decodeAppId = Schema.decodeUnknownOption(AppId)

export const inventoryReference = (namespace: string): ObjectReference => ({
  kind: "ConfigMap",
  namespace,
  name: inventoryName
})

export const referenceOfEntry = (namespace: string, entry: InventoryEntry): ObjectReference => ({
  kind: entry.kind,
  namespace,
  name: entry.name
})

const sorted = (entries: Iterable<readonly [string, InventoryEntry]>): Inventory =>
  new Map([...entries].sort(([a], [b]) => (a < b ? -1 : 1)))

const decoded = (configMap: ObservedObject): Option.Option<Inventory> =>
  Option.map(decodeStored(configMap.data), (stored) =>
    sorted(
      stored[dataKey].map(
        (entry) => [keyOf(referenceOfEntry(configMap.namespace ?? "", entry)), entry] as const
      )
    )
  )

/** Each pass reads it; it changes rarely, and an observed object never. */
const readBefore = new WeakMap<ObservedObject, Option.Option<Inventory>>()

/** `None` when the ConfigMap holds something else than an inventory; then it is rebuilt by `adopt`. */
export const read = (configMap: ObservedObject): Option.Option<Inventory> => {
  const inventory = readBefore.get(configMap) ?? decoded(configMap)
  readBefore.set(configMap, inventory)
  return inventory
}

/** The ConfigMap that holds it; equal inventories give equal text. */
export const manifestOf = (
  namespace: string,
  labels: Readonly<Record<string, string>>,
  inventory: Inventory
): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: inventoryName, namespace, labels, annotations: {} },
  data: { [dataKey]: encodeEntries([...inventory.values()]) }
})

/** Whether an observed object is ours (INV-INV-3). Who takes our label off takes the object over. */
export const owns = (inventory: Inventory, object: ObservedObject): boolean => {
  const entry = inventory.get(keyOf(object))
  const isKnown = entry !== undefined && entry.uid === object.uid
  return isManaged(object.labels) && (isKnown || object.ownedFields !== null)
}

const isRecorded = (object: ObservedObject): boolean =>
  object.namespace !== null &&
  object.name !== inventoryName &&
  writtenKinds.some((kind) => kind === object.kind)

const entryOf = (object: ObservedObject, kind: InventoryEntry["kind"]): InventoryEntry => ({
  apiVersion: apiVersionOf(kind),
  kind,
  name: object.name,
  uid: object.uid,
  appId: Option.getOrNull(decodeAppId(object.annotations[appIdAnnotation]))
})

/** Completes entries with the uids that were seen, and adds what is ours without having one. The same one when nothing is new. */
export const adopt = (inventory: Inventory, observed: ReadonlyArray<ObservedObject>): Inventory => {
  const next = new Map(inventory)
  let isNew = false
  for (const object of observed) {
    const kind = writtenKinds.find((written) => written === object.kind)
    if (kind === undefined || !isRecorded(object) || !owns(inventory, object)) continue
    const key = keyOf(object)
    const known = next.get(key)
    if (known === undefined || known.uid !== object.uid) {
      isNew = true
      next.set(key, { ...entryOf(object, kind), ...(known === undefined ? {} : { appId: known.appId }) })
    }
  }
  return isNew ? sorted(next) : inventory
}

/** An entry for what is about to be made, before it is. The same inventory when each has one. */
export const intend = (
  inventory: Inventory,
  wanted: ReadonlyArray<{ readonly reference: ObjectReference; readonly appId: AppId | null }>
): Inventory => {
  const next = new Map(inventory)
  let isNew = false
  for (const { appId, reference } of wanted) {
    const kind = writtenKinds.find((written) => written === reference.kind)
    if (kind === undefined || reference.namespace === null) continue
    const known = next.get(keyOf(reference))
    if (known !== undefined && known.appId === appId) continue
    isNew = true
    next.set(keyOf(reference), {
      apiVersion: apiVersionOf(kind),
      kind,
      name: reference.name,
      uid: known?.uid ?? null,
      appId
    })
  }
  return isNew ? sorted(next) : inventory
}

/** Without the entries whose objects were found absent. */
export const without = (inventory: Inventory, absent: ReadonlySet<string>): Inventory =>
  absent.size === 0 ? inventory : new Map([...inventory].filter(([key]) => !absent.has(key)))

const isSameEntry = (a: InventoryEntry, b: InventoryEntry | undefined): boolean =>
  a === b ||
  (a.apiVersion === b?.apiVersion &&
    a.kind === b.kind &&
    a.name === b.name &&
    a.uid === b.uid &&
    a.appId === b.appId)

export const isSame = (a: Inventory, b: Inventory): boolean =>
  a === b || (a.size === b.size && [...a].every(([key, entry]) => isSameEntry(entry, b.get(key))))
