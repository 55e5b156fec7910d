/** Which tombstones of a document may be acted on. Pure; INV-DOC-4 and INV-DOC-5. */
import type { Tombstone } from "@starform/domain/desired/DesiredState"

export interface PruneLimits {
  readonly pruneCountMax: number
  readonly prunePercentMax: number
}

export type PruneHold = "EpochUnconfirmed" | "TooManyTombstones"

export interface Admission {
  /** `tombstoneKey` of those that may be acted on. */
  readonly admitted: ReadonlySet<string>
  /** Why nothing else is pruned, leftovers of living apps included; `null` when everything may be. */
  readonly hold: PruneHold | null
}

/** A tombstone of a later deploy of the same app is another one. */
export const tombstoneKey = (tombstone: Tombstone): string => `${tombstone.appId}@${tombstone.ordinal}`

/** Most new tombstones that need no confirmation, in a document of that many apps, tombstoned ones included. */
export const pruneLimit = (apps: number, limits: PruneLimits): number =>
  Math.max(limits.pruneCountMax, Math.floor((apps * limits.prunePercentMax) / 100))

/**
 * @param before keys that were admitted for the document held until now
 */
export const admit = (
  before: ReadonlySet<string>,
  document: {
    readonly apps: number
    readonly tombstones: ReadonlyArray<Tombstone>
    readonly massPruneConfirmed: boolean
    readonly epochConfirmed: boolean
  },
  limits: PruneLimits
): Admission => {
  const keys = document.tombstones.map(tombstoneKey)
  const standing = new Set(keys.filter((key) => before.has(key)))
  if (!document.epochConfirmed) return { admitted: new Set(), hold: "EpochUnconfirmed" }
  const isFew = keys.length - standing.size <= pruneLimit(document.apps + keys.length, limits)
  return isFew || document.massPruneConfirmed
    ? { admitted: new Set(keys), hold: null }
    : { admitted: standing, hold: "TooManyTombstones" }
}
