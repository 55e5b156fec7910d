/** Plain pulls at a fixed rate, whatever becomes of those before: an open loop over keep-alive connections. */
import { type Answer, open, type Wire } from "./agentWire.ts"

export interface PlainRound {
  readonly port: number
  readonly connections: number
  /** Infinite for a closed loop: each connection asks again at once. */
  readonly perSecond: number
  readonly seconds: number
}

export interface PlainResult {
  readonly asked: number
  readonly perSecond: number
  /** From the moment at which a pull was due. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Answers that were no 304 and connections that ended, by status or code. */
  readonly errors: Readonly<Record<string, number>>
  /** Never answered. */
  readonly lost: number
  /** Of one core, while the round lasted. */
  readonly cpuShare: number
}

/** How long an answer may be overdue before it is lost. */
const patienceMs = 10_000

const connectAll = (port: number, count: number, answered: (answer: Answer, wire: Wire) => void) => {
  const errors: Record<string, number> = {}
  let isOver = false
  const wires = Array.from(
    { length: count },
    () =>
      new Promise<Wire>((connected, failed) =>
        open(port, {
          connected,
          answered,
          ended: (reason) => {
            if (!isOver) errors[reason] = (errors[reason] ?? 0) + 1
            failed(new Error(reason))
          }
        })
      )
  )
  return Promise.all(wires).then((all) => ({
    all,
    errors,
    close: () => {
      isOver = true
      // Without the minute that a port rests after an orderly end: thousands are needed again at once.
      for (const { socket } of all) socket.resetAndDestroy()
    }
  }))
}

const atShare = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN

/** @param requests asked for in turn */
export const runPlain = async (round: PlainRound, requests: ReadonlyArray<Buffer>): Promise<PlainResult> => {
  const free: Array<Wire> = []
  const due = new Map<Wire, number>()
  const latencies: Array<number> = []
  let asked = 0
  const send = (wire: Wire, dueMs: number) => {
    due.set(wire, dueMs)
    wire.ask(requests[asked++ % requests.length]!)
  }
  const isClosed = round.perSecond === Number.POSITIVE_INFINITY
  let waiting = 0
  let from = 0
  let until = Number.POSITIVE_INFINITY
  const next = (wire: Wire) => {
    const now = performance.now()
    if (isClosed) {
      if (now < until) send(wire, now)
    } else free.push(wire)
  }
  const { all, errors, close } = await connectAll(round.port, round.connections, (answer, wire) => {
    latencies.push(performance.now() - due.get(wire)!)
    due.delete(wire)
    if (answer.status !== 304) errors[answer.status] = (errors[answer.status] ?? 0) + 1
    next(wire)
  })
  const cpu = process.cpuUsage()
  from = performance.now()
  until = from + round.seconds * 1000
  const total = isClosed ? Number.POSITIVE_INFINITY : Math.round(round.perSecond * round.seconds)
  for (const wire of all) next(wire)
  let first = 0
  while (isClosed ? performance.now() < until : asked < total) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    if (isClosed) continue
    waiting = Math.min(total, Math.floor(((performance.now() - from) * round.perSecond) / 1000)) - asked
    // First in, first out: every connection gets its turn.
    for (; waiting > 0 && first < free.length; waiting--) {
      send(free[first++]!, from + (asked * 1000) / round.perSecond)
    }
    if (first > 4096) first -= free.splice(0, first).length
    if (performance.now() > until + patienceMs) break
  }
  const lastAsked = performance.now()
  const { user, system } = process.cpuUsage(cpu)
  while (due.size > 0 && performance.now() < lastAsked + patienceMs) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const tookMs = performance.now() - from
  close()
  const sorted = Float64Array.from(latencies).sort()
  return {
    asked,
    perSecond: (latencies.length * 1000) / tookMs,
    p50: atShare(sorted, 0.5),
    p99: atShare(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
    errors,
    lost: due.size + (isClosed ? 0 : total - asked),
    cpuShare: (user + system) / 1000 / (lastAsked - from)
  }
}
