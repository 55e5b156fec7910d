/**
 * What of a project is to go. Pure. Three things retire an object of ours: its app's tombstone; its app's present entry,
 * when that no longer names it; and, of a shared group's Secret, that no entry names it and nothing that runs reads it.
 * Nothing else ever does (INV-REC-1).
 */
import type { AppId } from "@starform/domain/ids/AppId"
import { type InventoryEntry, owns, referenceOfEntry } from "../inventory/Inventory.ts"
import type { ObservedObject } from "../kubernetes/ObservedObject.ts"
import { type ObjectReference, waveOf } from "../kubernetes/ResourceKind.ts"
import { secretName } from "../manifests/ObjectNames.ts"
import { appIdAnnotation, varGroupsAnnotation } from "../manifests/ShuttleAnnotations.ts"
import { type DesiredProject, hasRenderError } from "./DesiredProject.ts"
import type { Observation } from "./Observation.ts"
import type { Wave } from "./PlanStep.ts"

export interface PrunePlan {
  /** `null` for what no single app had. */
  readonly appId: AppId | null
  /** Of the tombstone; `null` when only leftovers of a living app go. */
  readonly ordinal: number | null
  /** Routes first, variables last. */
  readonly waves: ReadonlyArray<Wave>
  /** Deleted already, and still there: a finalizer holds them. */
  readonly ending: ReadonlyArray<ObservedObject>
  /** Everything of a tombstoned app was found absent. */
  readonly isAbsent: boolean
}

export interface Retirement {
  readonly prunes: ReadonlyArray<PrunePlan>
  /** Keys of entries that may leave the inventory: their objects are gone, or replaced by somebody else's. */
  readonly gone: ReadonlySet<string>
}

interface Candidate {
  readonly key: string
  readonly entry: InventoryEntry
}

interface Outcome {
  readonly waves: ReadonlyArray<Wave>
  readonly ending: ReadonlyArray<ObservedObject>
  readonly gone: ReadonlyArray<string>
  readonly isAllGone: boolean
}

const descending = (
  deletes: ReadonlyArray<{ readonly reference: ObjectReference; readonly uid: string }>
): ReadonlyArray<Wave> => {
  const waves = new Map<number, Array<Wave[number]>>()
  for (const { reference, uid } of deletes) {
    const wave = waveOf(reference.kind)
    waves.set(wave, [...(waves.get(wave) ?? []), { _tag: "Delete", reference, uid }])
  }
  return [...waves].sort(([a], [b]) => b - a).map(([, wave]) => wave)
}

const examine = (namespace: string, candidates: ReadonlyArray<Candidate>, seen: Observation): Outcome => {
  const deletes: Array<{ readonly reference: ObjectReference; readonly uid: string }> = []
  const ending: Array<ObservedObject> = []
  const gone: Array<string> = []
  for (const { entry, key } of candidates) {
    const object = seen.objects.get(key)
    if (object === undefined) {
      if (seen.absent.has(key)) gone.push(key)
      continue
    }
    if (!owns(seen.inventory, object)) gone.push(key)
    else if (object.deleting) ending.push(object)
    else deletes.push({ reference: referenceOfEntry(namespace, entry), uid: object.uid })
  }
  return { waves: descending(deletes), ending, gone, isAllGone: gone.length === candidates.length }
}

const candidatesOf = (seen: Observation, appId: AppId): ReadonlyArray<Candidate> =>
  Array.from(seen.inventory, ([key, entry]) => ({ key, entry })).filter(({ entry }) => entry.appId === appId)

const isObserved = (seen: Observation, appId: AppId): boolean =>
  [...seen.objects.values()].some(
    (object) => object.annotations[appIdAnnotation] === appId && owns(seen.inventory, object)
  )

/** Ids of shared groups that something reads which is there now, pods that are still ending included. */
const groupsInUse = (seen: Observation): ReadonlySet<string> =>
  new Set(
    [...seen.objects.values()].flatMap(
      ({ annotations }) => annotations[varGroupsAnnotation]?.split(",") ?? []
    )
  )

/** Secrets of shared groups that nobody uses. A document that merely leaves an app out retires none: its pods are there. */
const unusedGroups = (seen: Observation, wanted: ReadonlySet<string>): ReadonlyArray<Candidate> => {
  const names = new Set(Array.from(groupsInUse(seen), secretName))
  return Array.from(seen.inventory, ([key, entry]) => ({ key, entry })).filter(
    ({ entry, key }) =>
      entry.appId === null && entry.kind === "Secret" && !wanted.has(key) && !names.has(entry.name)
  )
}

/** @param wanted keys of everything that the present document names */
export const retire = (
  desired: DesiredProject,
  seen: Observation,
  wanted: ReadonlySet<string>
): Retirement => {
  const gone = new Set<string>()
  const prunes: Array<PrunePlan> = []
  if (hasRenderError(desired)) return { prunes, gone }
  for (const { appId, ordinal } of desired.tombstones) {
    const outcome = examine(desired.namespace, candidatesOf(seen, appId), seen)
    for (const key of outcome.gone) gone.add(key)
    const isAbsent = outcome.isAllGone && !isObserved(seen, appId)
    prunes.push({ appId, ordinal, waves: outcome.waves, ending: outcome.ending, isAbsent })
  }
  for (const { appId } of desired.isPruneHeld ? [] : desired.apps) {
    const leftovers = candidatesOf(seen, appId).filter(({ key }) => !wanted.has(key))
    if (leftovers.length === 0) continue
    const outcome = examine(desired.namespace, leftovers, seen)
    for (const key of outcome.gone) gone.add(key)
    prunes.push({ appId, ordinal: null, waves: outcome.waves, ending: outcome.ending, isAbsent: false })
  }
  const unused = desired.isPruneHeld ? [] : unusedGroups(seen, wanted)
  if (unused.length > 0) {
    const outcome = examine(desired.namespace, unused, seen)
    for (const key of outcome.gone) gone.add(key)
    prunes.push({ appId: null, ordinal: null, waves: outcome.waves, ending: outcome.ending, isAbsent: false })
  }
  return { prunes, gone }
}
