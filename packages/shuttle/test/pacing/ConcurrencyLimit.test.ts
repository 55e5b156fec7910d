import { assert, describe, it } from "@effect/vitest"
import { ConcurrencyLimit } from "@starform/shuttle/pacing/ConcurrencyLimit"

/** A server that works on `capacity` requests at once, each for `serviceMs`; the rest waits in its queue. */
interface ModelServer {
  capacity: number
  readonly serviceMs: number
}

interface Waiting {
  readonly startedAtMs: number
  readonly inFlight: number
}

/** A client that always has more to send, for `rounds` service times; the limit after each. */
const saturate = (limit: ConcurrencyLimit, server: ModelServer, rounds: number, fromMs = 0) => {
  const queue: Array<Waiting> = []
  const limits: Array<number> = []
  for (let round = 1; round <= rounds; round++) {
    const nowMs = fromMs + (round - 1) * server.serviceMs
    while (queue.length < limit.limit) queue.push({ startedAtMs: nowMs, inFlight: queue.length + 1 })
    const endedAtMs = nowMs + server.serviceMs
    for (const sample of queue.splice(0, server.capacity)) {
      limit.note({ kind: "apply", ending: "answered", endedAtMs, ...sample })
    }
    limits.push(limit.limit)
  }
  return limits
}

const sample = (startedAtMs: number, endedAtMs: number, ending: "answered" | "pushedBack" | "silent") => ({
  kind: "apply",
  ending,
  startedAtMs,
  endedAtMs,
  inFlight: 1_000
})

describe("ConcurrencyLimit", () => {
  it("finds what a server keeps up with, and leaves its queue short", () => {
    for (const capacity of [4, 10, 25]) {
      const limits = saturate(new ConcurrencyLimit({ start: 8, max: 500 }), { capacity, serviceMs: 50 }, 400)
      for (const settled of limits.slice(100)) {
        assert.isAtLeast(settled, capacity, `of ${capacity}: the server idles`)
        assert.isAtMost(settled, capacity * 5, `of ${capacity}: requests pile up`)
      }
    }
  })

  it("follows a server that becomes slower, and one that becomes faster again", () => {
    const limit = new ConcurrencyLimit({ start: 8, max: 500 })
    const server = { capacity: 20, serviceMs: 50 }
    saturate(limit, server, 300)
    server.capacity = 4
    assert.isAtMost(saturate(limit, server, 400, 15_000).at(-1)!, 20)
    server.capacity = 40
    assert.isAtLeast(saturate(limit, server, 1_000, 35_000).at(-1)!, 40)
  })

  it("never passes its bounds", () => {
    const limit = new ConcurrencyLimit({ start: 8, max: 12 })
    for (let ms = 0; ms < 1_000; ms++) limit.note(sample(ms, ms + 1, "answered"))
    assert.strictEqual(limit.limit, 12)
    for (let ms = 2_000; ms < 2_100; ms++) limit.note(sample(ms, ms + 1, "pushedBack"))
    assert.strictEqual(limit.limit, 1)
  })

  it("halves once for all requests that were under way when the server said that it is too much", () => {
    const limit = new ConcurrencyLimit({ start: 64, max: 64 })
    for (let n = 0; n < 30; n++) limit.note(sample(0, 10 + n, "pushedBack"))
    assert.strictEqual(limit.limit, 32)
    limit.note(sample(100, 110, "silent"))
    assert.strictEqual(limit.limit, 16)
  })

  it("learns nothing from a client that has little to send", () => {
    const limit = new ConcurrencyLimit({ start: 8, max: 64 })
    for (let ms = 0; ms < 1_000; ms++) limit.note({ ...sample(ms, ms + 1, "answered"), inFlight: 2 })
    assert.strictEqual(limit.limit, 8)
  })
})
