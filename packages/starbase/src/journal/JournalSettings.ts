/** Bounds on what the journal does at once. They are of one process. */

import * as Duration from "effect/Duration"

/** Of one kind of work that is done in groups. */
export interface GroupBounds {
  /** Members of one group. */
  readonly membersMax: number
  /** Bytes of one group, as JSON; a single member may be larger, and is a group of its own then. */
  readonly bytesMax: number
  /** Groups in flight at once; each holds a connection. */
  readonly groupsMax: number
  /** Members that are answered without letting anything else run. */
  readonly answersAtOnce: number
  /** From a group's departure until its outcome counts as unknown; longer than a rebuild holds its lock, shorter than an ask. */
  readonly deadline: Duration.Duration
  /** Members that wait for a group; one more is refused as `JournalOverloaded`. */
  readonly waitingMax: number
  /** Bytes of what waits, as JSON. */
  readonly waitingBytesMax: number
}

export interface JournalSettings {
  readonly appends: GroupBounds
  readonly loads: GroupBounds
  /** Whoever was refused may come again after this many seconds. */
  readonly retryAfterSeconds: number
}

const mebibyte = 1024 * 1024

/** @source decision 0013: two groups in flight keep the processor busy while the disk is waited for; more only shrink groups */
export const defaults: JournalSettings = {
  appends: {
    membersMax: 128,
    bytesMax: mebibyte,
    groupsMax: 2,
    answersAtOnce: 16,
    deadline: Duration.seconds(12),
    waitingMax: 4_096,
    waitingBytesMax: 64 * mebibyte
  },
  loads: {
    membersMax: 64,
    bytesMax: mebibyte,
    groupsMax: 2,
    answersAtOnce: 16,
    deadline: Duration.seconds(12),
    waitingMax: 16_384,
    waitingBytesMax: 64 * mebibyte
  },
  retryAfterSeconds: 1
}

/** Bounds on snapshots: at most one per this many events and this much time (design §4). */
export const snapshotEveryEvents = 100
export const snapshotEveryMs = 60_000
