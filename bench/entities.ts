/**
 * `npm run bench entities`: reads of App entities in one runner against the same program on bare `effect/cluster`
 * entities, in rounds by turns; `--rivals` fetches workerd and puts its Durable Objects beside them.
 */
import { main, type Program, start } from "./program.ts"
import { programFile, progress, record, words } from "./report.ts"
import { fetchRivals, type Rival } from "./rivals.ts"
import { percentile, table } from "./statistics.ts"
import { startWorkerd } from "./workerd.ts"

const { callers, entities, seconds, rounds, rivals } = words(
  { callers: 64, entities: 1000, seconds: 5, rounds: 9 },
  ["rivals"]
)
interface RoundResult {
  readonly perSecond: number
  readonly cpuMicroseconds: number
}

const load = { callers, entities, seconds }
const ratioTarget = 0.9

const median = (values: ReadonlyArray<number>) => percentile(values, 0.5)

/** As large as what the others answer. */
const state = {
  appId: "0198c0de-0000-7000-8004-000000000001/production/0198c0de-0000-7000-8005-000000000001",
  workspaceId: "0198c0de-0000-7000-8006-000000000001",
  workspaceSlug: "acme",
  projectId: "0198c0de-0000-7000-8004-000000000001",
  projectSlug: "shop",
  environment: "production",
  serviceId: "0198c0de-0000-7000-8005-000000000001",
  serviceSlug: "api",
  serviceType: "web",
  clusterId: "0198c0de-0000-7000-8007-000000000001",
  namespace: "proj-shop",
  hostnames: ["api-shop-1.test"]
}

const rivalOf = async (): Promise<Rival | undefined> => {
  if (rivals) {
    const [workerd] = await fetchRivals(
      { workerd: (folder) => startWorkerd(folder, load, "read", state) },
      progress
    )
    return workerd
  }
  progress("workerd is left out: --rivals fetches it")
  return undefined
}

await main(async () => {
  progress("Starting PostgreSQL and two runners")
  const postgres = await start(programFile("infra/launchpad/bench/Postgres.process.ts"))
  const ours = await start(programFile("packages/starbase/bench/StarbaseAsks.process.ts"), [
    await postgres.ask<string>("database")
  ])
  const bare = await start(programFile("packages/starbase/bench/BareAsks.process.ts"), [
    await postgres.ask<string>("database")
  ])
  const workerd = await rivalOf()
  try {
    for (const program of [ours, bare]) {
      await program.ask("setUp", load)
      await program.ask("round", { ...load, seconds: 3 })
    }
    const cpu = { starbase: [] as Array<number>, bare: [] as Array<number> }
    const rates = { starbase: [] as Array<number>, bare: [] as Array<number>, workerd: [] as Array<number> }
    for (let round = 1; round <= rounds; round++) {
      // Who goes first changes, so that neither always follows the other.
      const turn = (name: "starbase" | "bare", program: Program) => async () => {
        const { perSecond, cpuMicroseconds } = await program.ask<RoundResult>("round", load)
        rates[name].push(perSecond)
        cpu[name].push(cpuMicroseconds)
      }
      const turns = [turn("starbase", ours), turn("bare", bare)]
      for (const turn of round % 2 === 0 ? turns.toReversed() : turns) await turn()
      if (workerd !== undefined) rates.workerd.push(await workerd.round(seconds))
      const last = Object.entries(rates)
        .filter(([, values]) => values.length > 0)
        .map(([name, values]) => `${name} ${Math.round(values.at(-1)!)}/s`)
      progress(`round ${round} of ${rounds}: ${last.join(", ")}`)
    }
    const ratio = median(rates.starbase.map((rate, round) => rate / rates.bare[round]!))
    const cpuRatio = median(cpu.bare.map((micros, round) => micros / cpu.starbase[round]!))
    const toWorkerd =
      workerd === undefined ? null : median(rates.starbase.map((rate, round) => rate / rates.workerd[round]!))
    const row = (name: string, values: ReadonlyArray<number>) =>
      [name, median(values), Math.min(...values), Math.max(...values)].map((cell) =>
        typeof cell === "number" ? Math.round(cell) : cell
      )
    console.log(
      `\n${table([
        ["answers per second", "median", "min", "max"],
        row("Starbase, App entities", rates.starbase),
        row("bare effect/cluster entities", rates.bare),
        ...(workerd === undefined ? [] : [row("workerd Durable Objects", rates.workerd)])
      ])}`
    )
    console.log(`\nto bare, median of rounds: ${ratio.toFixed(2)} (target ≥ ${ratioTarget})`)
    console.log(
      `CPU time per answer: ${median(cpu.starbase).toFixed(1)} µs, bare ${median(cpu.bare).toFixed(1)} µs; as a rate ${cpuRatio.toFixed(2)} of bare`
    )
    if (toWorkerd !== null) console.log(`to workerd: ${toWorkerd.toFixed(2)} (target > 1)`)
    record("entities", {
      load: { ...load, rounds },
      unit: "answers per second",
      ...rates,
      ratioToBare: ratio,
      ratioTarget,
      cpuMicrosecondsPerAnswer: { starbase: median(cpu.starbase), bare: median(cpu.bare), ratio: cpuRatio },
      workerdVersion: workerd?.version ?? null,
      ratioToWorkerd: toWorkerd
    })
  } finally {
    await workerd?.stop()
  }
})
