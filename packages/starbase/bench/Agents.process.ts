/** The agents of the pull benchmark, all of them in one process: at a rate over few connections, or parked on one each. */
import { setTimeout as sleep } from "node:timers/promises"
import { serve } from "../../../bench/program.ts"
import * as HttpWire from "./HttpWire.ts"

const wallclock = () => performance.timeOrigin + performance.now()

const openLoop = async (asked: {
  readonly port: number
  readonly clusters: number
  readonly connections: number
  readonly perSecond: number
  readonly seconds: number
  readonly etag: string
}) => {
  const wires = Array.from({ length: asked.connections }, () => HttpWire.open(asked.port))
  const free = [...wires]
  /** When each pull that has no connection yet was due. */
  const due: Array<{ readonly cluster: number; readonly dueMs: number }> = []
  const latencies: Array<number> = []
  const statuses = new Map<string, number>()
  const count = (name: string) => statuses.set(name, (statuses.get(name) ?? 0) + 1)
  const dispatch = () => {
    while (due.length > 0 && free.length > 0) {
      const [{ cluster, dueMs }, wire] = [due.shift()!, free.pop()!]
      const end = (name: string) => {
        latencies.push(performance.now() - dueMs)
        count(name)
        free.push(wire)
        dispatch()
      }
      wire.send(
        HttpWire.pull(cluster, asked.etag),
        ({ status }) => end(String(status)),
        () => end("lost")
      )
    }
  }
  const cpu = process.cpuUsage()
  const from = performance.now()
  const total = Math.round(asked.perSecond * asked.seconds)
  let sent = 0
  while (sent < total) {
    const until = Math.min(total, Math.floor(((performance.now() - from) / 1000) * asked.perSecond))
    for (; sent < until; sent++) {
      due.push({ cluster: sent % asked.clusters, dueMs: from + (sent * 1000) / asked.perSecond })
    }
    dispatch()
    await sleep(1)
  }
  const patience = performance.now() + 10_000
  while (latencies.length < total && performance.now() < patience) await sleep(5)
  const { user, system } = process.cpuUsage(cpu)
  const elapsedMs = performance.now() - from
  for (const wire of wires) wire.close()
  latencies.sort((a, b) => a - b)
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.ceil(latencies.length * share) - 1)]!
  return {
    asked: total,
    answered: latencies.length,
    statuses: Object.fromEntries(statuses),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    perSecond: (latencies.length / elapsedMs) * 1000,
    cpuShare: (user + system) / 1000 / elapsedMs
  }
}

/** Parked agents, until they are dismissed: each asks again when it is answered, and after a pause when it is turned away. */
let parked: ReadonlyArray<HttpWire.HttpWire> = []
let generation = 0
const arrivals = new Map<number, number>()
const outcomes = new Map<string, number>()
let settled = new Set<number>()

const waitSeconds = 30

const park = (asked: { readonly port: number; readonly clusters: number; readonly etag: string }) => {
  for (const wire of parked) wire.close()
  const mine = ++generation
  outcomes.clear()
  settled = new Set()
  parked = Array.from({ length: asked.clusters }, () => HttpWire.open(asked.port))
  const count = (name: string) => outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
  const agent = (cluster: number, etag: string) => {
    if (mine !== generation) return
    // No answer within a moment means parked; a 304 after the wait means that it was.
    const isParked = setTimeout(() => settled.add(cluster), 1_000)
    const again = (pauseMs: number, known = etag) => {
      clearTimeout(isParked)
      if (pauseMs === 0) agent(cluster, known)
      else setTimeout(() => agent(cluster, known), pauseMs)
    }
    parked[cluster]!.send(
      HttpWire.pull(cluster, etag, waitSeconds),
      ({ status, etag: newer }) => {
        count(String(status))
        if (status === 200) arrivals.set(cluster, wallclock())
        if (status === 200 || status === 304) {
          settled.add(cluster)
          again(0, newer ?? etag)
        } else {
          again(1_000 + Math.random() * 1_000)
        }
      },
      () => {
        if (mine !== generation) return
        count("lost")
        again(100 + Math.random() * 400)
      }
    )
  }
  for (let cluster = 0; cluster < asked.clusters; cluster++) agent(cluster, asked.etag)
}

/** The revision that cluster 0 is at. */
const etagOf = ({ port }: { readonly port: number }) =>
  new Promise<string>((resolve, reject) => {
    const wire = HttpWire.open(port)
    wire.send(
      HttpWire.pull(0, undefined),
      ({ etag }) => {
        wire.close()
        if (etag === undefined) reject(new Error("no revision in the answer"))
        else resolve(etag)
      },
      () => reject(new Error("not answered"))
    )
  })

serve({
  openLoop,
  etagOf,
  park,
  settled: () => ({ settled: settled.size, outcomes: Object.fromEntries(outcomes), nowMs: wallclock() }),
  arrivals: () => {
    const all = [...arrivals]
    arrivals.clear()
    return all
  },
  dismiss: () => {
    generation++
    for (const wire of parked) wire.close()
    parked = []
  }
})
