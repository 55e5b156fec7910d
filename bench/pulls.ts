/**
 * `npm run bench pulls`: agents that pull desired state from one Starbase. The 30 s fall-back at a rate, against a bare
 * HTTP server of the same library; parked pulls, a new revision to one of them, and all agents coming back at once.
 */
import { randomBytes } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { freePort } from "./freePort.ts"
import { main, type Program, start } from "./program.ts"
import { programFile, progress, record, words } from "./report.ts"
import { percentile, table } from "./statistics.ts"

const { clusters, connections, rate, seconds, stepSeconds, parked, changes } = words({
  clusters: 10_000,
  connections: 1_000,
  rate: 3_334,
  seconds: 15,
  stepSeconds: 4,
  parked: 10_000,
  changes: 200
})

const p99TargetMs = 50
const ratioTarget = 0.6

const rssMiB = (program: Program): number => {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${program.pid}/status`, "utf8"))?.[1]
  return Math.round(Number(kilobytes) / 1024)
}

interface LoopResult {
  readonly asked: number
  readonly answered: number
  readonly statuses: Readonly<Record<string, number>>
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly perSecond: number
  readonly cpuShare: number
}

interface Server {
  readonly name: string
  readonly program: Program
  readonly port: number
  readonly etag: string
}

const load = (agents: Program, { port, etag }: Server, perSecond: number, forSeconds: number) =>
  agents.ask<LoopResult>("openLoop", { port, clusters, connections, perSecond, seconds: forSeconds, etag })

const isGood = ({ asked, answered, statuses, p99Ms }: LoopResult) =>
  answered === asked && statuses["304"] === asked && p99Ms <= p99TargetMs

/** A rate is too high when it fails twice: the machine may have been busy with something else the first time. */
const holds = async (agents: Program, server: Server, perSecond: number): Promise<boolean> => {
  for (let time = 1; time <= 2; time++) {
    const result = await load(agents, server, perSecond, stepSeconds)
    progress(
      `  ${server.name} ${Math.round(perSecond)}/s: p99 ${result.p99Ms.toFixed(1)} ms, generator ${Math.round(result.cpuShare * 100)} % of a core`
    )
    if (isGood(result)) return true
    await sleep(500)
  }
  return false
}

/** The search for the highest rate that holds: grows by a quarter until one fails, then halves the gap until it is small. */
class Search {
  readonly server: Server
  good = 0
  bad = Number.POSITIVE_INFINITY
  next: number
  #isConfirmed = false

  constructor(server: Server, from: number) {
    this.server = server
    this.next = from
  }

  /** Narrow, and what failed has failed again since: the machine may have been busy with something else. */
  get isOver(): boolean {
    return this.bad / this.good < 1.07 && this.#isConfirmed
  }

  async step(agents: Program): Promise<void> {
    const isAgain = this.next === this.bad
    if (await holds(agents, this.server, this.next)) {
      this.good = this.next
      if (isAgain) this.bad = Number.POSITIVE_INFINITY
    } else {
      this.bad = this.next
      this.#isConfirmed = isAgain
    }
    if (this.bad === Number.POSITIVE_INFINITY) this.next = this.good * 1.25
    else if (this.good === 0) this.next = this.next / 2
    else if (this.bad / this.good < 1.07) this.next = this.bad
    else this.next = (this.good + this.bad) / 2
  }
}

/** By turns, so that what else the machine does in the meantime meets them all. */
const highestRates = async (agents: Program, searches: ReadonlyArray<Search>): Promise<void> => {
  for (let turn = 0; turn < 14; turn++) {
    for (const search of searches) {
      if (search.isOver) continue
      await search.step(agents)
      await sleep(500)
    }
  }
}

/**
 * Until Starbase itself says that they all wait: an agent that hears nothing may as well not be connected yet. Two looks,
 * because connections that were cut are there a moment longer, and a few pulls are always on their way.
 */
const settledAfter = async (agents: Program, { program }: Server, from: number): Promise<number> => {
  const enough = parked - Math.ceil(parked / 1000)
  let looks = 0
  while (true) {
    const { settled, nowMs } = await agents.ask<{ settled: number; nowMs: number }>("settled")
    const waiting = await program.ask<number>("parked")
    looks = settled >= parked && waiting >= enough && waiting <= parked ? looks + 1 : 0
    if (looks === 2) return nowMs - from
    if (nowMs - from > 60_000) return Number.POSITIVE_INFINITY
    await sleep(20)
  }
}

const wallclock = () => performance.timeOrigin + performance.now()

/** Parked pulls: what they weigh, how fast a revision reaches one, and all of them at once. */
const parkedPulls = async (agents: Program, server: Server) => {
  const before = rssMiB(server.program)
  await agents.ask("park", { port: server.port, clusters: parked, etag: server.etag })
  const firstMs = await settledAfter(agents, server, wallclock())
  const during = rssMiB(server.program)
  progress(`${parked} pulls parked after ${(firstMs / 1000).toFixed(1)} s: ${before} → ${during} MiB`)
  await agents.ask("arrivals")
  const chosen = Array.from({ length: changes }, (_, n) => (n * 7_919) % parked)
  const asked = await server.program.ask<
    ReadonlyArray<{ cluster: number; askedMs: number; acknowledgedMs: number }>
  >("revise", { clusters: chosen, ordinal: 2, spacingMs: 20 })
  await sleep(500)
  const arrivals = new Map(await agents.ask<ReadonlyArray<readonly [number, number]>>("arrivals"))
  const fromAcknowledged = asked.map(
    ({ cluster, acknowledgedMs }) => (arrivals.get(cluster) ?? Infinity) - acknowledgedMs
  )
  const fromAsked = asked.map(({ cluster, askedMs }) => (arrivals.get(cluster) ?? Infinity) - askedMs)
  progress(
    `a new revision arrives ${percentile(fromAcknowledged, 0.99).toFixed(1)} ms (p99) after its acknowledgement`
  )
  const stormFrom = wallclock()
  await agents.ask("park", { port: server.port, clusters: parked, etag: server.etag })
  const stormMs = await settledAfter(agents, server, stormFrom)
  const { outcomes } = await agents.ask<{ outcomes: Readonly<Record<string, number>> }>("settled")
  progress(
    `all come back at once: drained after ${(stormMs / 1000).toFixed(1)} s, ${JSON.stringify(outcomes)}`
  )
  await agents.ask("dismiss")
  return {
    parked,
    rssMiB: { before, during },
    revisionToAnswerMs: {
      afterAcknowledgement: {
        p50: percentile(fromAcknowledged, 0.5),
        p99: percentile(fromAcknowledged, 0.99)
      },
      fromCommand: { p50: percentile(fromAsked, 0.5), p99: percentile(fromAsked, 0.99) }
    },
    storm: { drainedMs: stormMs, outcomes }
  }
}

const folder = mkdtempSync(join(tmpdir(), "starform-pulls-"))
// However it ends: Ctrl-C does not come back to the end of this file.
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
await main(async () => {
  progress("Starting PostgreSQL, Starbase, a bare HTTP server and the agents")
  const postgres = await start(programFile("infra/launchpad/bench/Postgres.process.ts"))
  const [port, barePort] = [await freePort(), await freePort()]
  const program = await start(programFile("packages/starbase/bench/Starbase.process.ts"), [
    await postgres.ask<string>("database"),
    String(port),
    folder,
    randomBytes(32).toString("base64")
  ])
  const bareProgram = await start(programFile("packages/starbase/bench/BareServer.process.ts"), [
    String(barePort)
  ])
  const agents = await start(programFile("packages/starbase/bench/Agents.process.ts"))
  progress(`Making ${clusters} clusters of five apps`)
  for (let from = 0; from < clusters; from += 1_000) {
    await program.ask("register", { from, to: Math.min(clusters, from + 1_000) })
  }
  const starbase = { name: "Starbase", program, port, etag: await agents.ask<string>("etagOf", { port }) }
  const bare = { name: "bare", program: bareProgram, port: barePort, etag: starbase.etag }

  progress("Pulls at the rate of 100,000 agents")
  await load(agents, starbase, rate, 3)
  const cpuBefore = await program.ask<NodeJS.CpuUsage>("cpu")
  const steady = await load(agents, starbase, rate, seconds)
  const cpuAfter = await program.ask<NodeJS.CpuUsage>("cpu")
  const starbaseShare =
    (cpuAfter.user + cpuAfter.system - cpuBefore.user - cpuBefore.system) / 1e6 / (steady.asked / rate)
  progress(
    `  p50 ${steady.p50Ms.toFixed(1)} ms, p99 ${steady.p99Ms.toFixed(1)} ms, answered ${steady.answered} of ${steady.asked}, ` +
      `Starbase ${Math.round(starbaseShare * 100)} %, generator ${Math.round(steady.cpuShare * 100)} % of a core`
  )
  progress("The highest rates of Starbase and of the bare server, by turns")
  await load(agents, bare, rate, 2)
  const searches = [new Search(starbase, rate * 2), new Search(bare, rate * 5)] as const
  await highestRates(agents, searches)
  const [{ good: highest }, { good: bareHighest }] = searches
  const parkedResult = await parkedPulls(agents, starbase)

  const { storm, rssMiB: weight, revisionToAnswerMs } = parkedResult
  console.log(
    `\n${table([
      ["what", "measured", "target"],
      [`pulls at ${rate}/s, p99`, `${steady.p99Ms.toFixed(1)} ms`, `≤ ${p99TargetMs} ms`],
      ["lost or refused", steady.asked - (steady.statuses["304"] ?? 0), "0"],
      ["highest rate at that p99", `${Math.round(highest)}/s`, ""],
      ["bare HTTP server, the same", `${Math.round(bareHighest)}/s`, ""],
      ["ratio", (highest / bareHighest).toFixed(2), `≥ ${ratioTarget}`],
      [`RSS with ${parked} parked pulls`, `${weight.during} MiB`, "≤ 300 MiB"],
      ["new revision to answer, p99", `${revisionToAnswerMs.fromCommand.p99.toFixed(1)} ms`, "≤ 20 ms"],
      ["reconnect storm drained", `${(storm.drainedMs / 1000).toFixed(1)} s`, "≤ 10 s"]
    ])}`
  )
  record("pulls", {
    load: { clusters, appsPerCluster: 5, connections, rate, seconds },
    steady: { ...steady, starbaseCpuShare: starbaseShare },
    highestRate: { starbase: highest, bare: bareHighest, ratio: highest / bareHighest, target: ratioTarget },
    parkedPulls: parkedResult
  })
})
