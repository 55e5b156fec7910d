/**
 * How many requests one server is sent at once: more for as long as it answers as fast as it can, fewer as soon as it says
 * that it is too much, or shows it. Pure but for its memory.
 *
 * Additive increase, multiplicative decrease. Requests that differ in cost are not compared: each kind has a best latency of
 * its own, which is forgotten after a while, because a server may become slower for good.
 */

export interface LimitBounds {
  readonly start: number
  readonly max: number
}

/** How a request ended, as far as it tells of the server's load. */
export type Ending = "answered" | "pushedBack" | "silent"

export interface Sample {
  readonly kind: string
  readonly ending: Ending
  readonly startedAtMs: number
  readonly endedAtMs: number
  /** Requests under way when it was sent, itself included. */
  readonly inFlight: number
}

interface Best {
  readonly ms: number
  readonly atMs: number
}

/** An answer is slow beyond this many times the best one, and this much: clocks and garbage collectors are not the server. */
const slowTimes = 3
const slackMs = 20

/** Best latencies older than this are measured anew. */
const bestLastsMs = 60_000

/** Of the limit, what must be in use for an answer to say that more could be: an idle client learns nothing. */
const usedShare = 0.75

const afterSlow = 0.9
const afterPushBack = 0.5

export class ConcurrencyLimit {
  readonly #max: number
  readonly #best = new Map<string, Best>()
  #exact: number
  /** Until the first sign of too much, every answer adds one. */
  #isStarting = true
  /** Requests that were sent before the limit fell say nothing about what it is now. */
  #fellAtMs = Number.NEGATIVE_INFINITY

  constructor({ start, max }: LimitBounds) {
    this.#max = max
    this.#exact = Math.min(start, max)
  }

  /** At least 1. */
  get limit(): number {
    return Math.max(1, Math.floor(this.#exact))
  }

  note(sample: Sample): void {
    if (sample.ending !== "answered") this.#fall(sample, afterPushBack)
    else if (this.#isSlow(sample)) this.#fall(sample, afterSlow)
    else if (sample.inFlight >= this.limit * usedShare) this.#grow()
  }

  #isSlow({ endedAtMs, kind, startedAtMs }: Sample): boolean {
    const ms = endedAtMs - startedAtMs
    const best = this.#best.get(kind)
    if (best === undefined || ms <= best.ms || endedAtMs - best.atMs > bestLastsMs) {
      this.#best.set(kind, { ms, atMs: endedAtMs })
      return false
    }
    return ms > best.ms * slowTimes + slackMs
  }

  #grow(): void {
    this.#exact = Math.min(this.#max, this.#exact + (this.#isStarting ? 1 : 1 / this.#exact))
  }

  #fall({ endedAtMs, startedAtMs }: Sample, factor: number): void {
    this.#isStarting = false
    if (startedAtMs < this.#fellAtMs) return
    this.#fellAtMs = endedAtMs
    this.#exact = Math.max(1, this.#exact * factor)
  }
}
