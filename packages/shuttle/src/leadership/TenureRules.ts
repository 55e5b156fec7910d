/**
 * Who may lead, and until when, by the clocks of this machine alone: times that another machine wrote are compared for being
 * different, never for being earlier or later. Pure.
 */
import * as Duration from "effect/Duration"
import type { LeaseRecord } from "./LeaseRecord.ts"

/** One moment of this machine. */
export interface Moment {
  readonly monotonicNanos: bigint
  readonly wallMs: number
}

/** The Lease as it was seen last, and since when it has been saying that. */
export interface SeenLease {
  readonly record: LeaseRecord
  readonly since: Moment
}

const nanosPerMilli = 1e6

/** A follower's judgement, so that a clock that was set forward shortens nobody's lease. */
const waitedMs = (since: Moment, now: Moment): number =>
  Number(now.monotonicNanos - since.monotonicNanos) / nanosPerMilli

/**
 * A leader's judgement: the longer of its two clocks. The monotonic one stands still while a machine is suspended, the other
 * one may be set; where they differ a leader believes the worse.
 */
export const heldMs = (since: Moment, now: Moment): number =>
  Math.max(waitedMs(since, now), now.wallMs - since.wallMs)

const isSameClaim = (a: LeaseRecord, b: LeaseRecord): boolean =>
  a.holder === b.holder &&
  a.renewTime === b.renewTime &&
  a.acquireTime === b.acquireTime &&
  a.transitions === b.transitions &&
  a.durationSeconds === b.durationSeconds

/** A Lease of which only labels or the version changed has not been renewed. */
export const seen = (before: SeenLease | null, record: LeaseRecord, now: Moment): SeenLease => ({
  record,
  since: before !== null && isSameClaim(before.record, record) ? before.since : now
})

/** Until it may be taken, in milliseconds; 0 when it may be now. `fallback` for a Lease that names no duration. */
export const untilFreeMs = (
  { record, since }: SeenLease,
  identity: string,
  fallback: Duration.Duration,
  now: Moment
): number => {
  if (record.holder === "" || record.holder === identity) return 0
  const duration =
    record.durationSeconds === null ? Duration.toMillis(fallback) : record.durationSeconds * 1000
  return Math.max(0, duration - waitedMs(since, now))
}
