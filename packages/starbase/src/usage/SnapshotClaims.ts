/** Which snapshots can be what they say, before the database is asked whose they are. Pure. */
import { createHash } from "node:crypto"
import {
  millisOf,
  type PodSnapshot,
  snapshotAgeDaysMax,
  snapshotAheadMinutesMax,
  snapshotIdInput
} from "@starform/domain/observed/PodSnapshot"

const ageMaxMs = snapshotAgeDaysMax * 24 * 60 * 60_000
const aheadMaxMs = snapshotAheadMinutesMax * 60_000

/** An id that is not its own could take another pod's place before that is reported. */
const hasOwnId = (snapshot: PodSnapshot): boolean =>
  createHash("sha256").update(snapshotIdInput(snapshot)).digest("hex") === snapshot.snapshotId

/** Whether its id is of what it says, and its minute is one that may still be charged (INV-USE-3). */
export const isPlausible = (snapshot: PodSnapshot, nowMs: number): boolean => {
  const ageMs = nowMs - millisOf(snapshot.snapshotTimestamp)
  return ageMs <= ageMaxMs && ageMs >= -aheadMaxMs && hasOwnId(snapshot)
}
