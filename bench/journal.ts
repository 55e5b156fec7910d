/**
 * `npm run bench journal`: durable commands of App entities in one runner against single-row INSERTs of pgbench on the
 * same server, in rounds by turns; activations from the journal and the heap of an idle entity. `--rivals` fetches
 * workerd and Restate and puts their durable objects beside them.
 */
import { findPgbench, insertRate, type Mode, type Row, versionOf } from "./pgbench.ts"
import { main, start } from "./program.ts"
import { programFile, progress, record, words } from "./report.ts"
import { startRestate } from "./restate.ts"
import { fetchRivals, type Rival } from "./rivals.ts"
import { percentile, table } from "./statistics.ts"
import { startWorkerd } from "./workerd.ts"

const { callers, entities, seconds, rounds, idle, activations, rivals } = words(
  { callers: 64, entities: 1000, seconds: 5, rounds: 5, idle: 4000, activations: 3 },
  ["rivals"]
)

/** Of the issue that this measures: share of pgbench's rate, activations per second, bytes of heap. */
const targets = { pgbench: 0.5, activations: 2000, heapBytes: 20_000 }

/** What a command sets, here as there. */
const healthCheck = { path: "/up", startupSeconds: 5 }

const modes: ReadonlyArray<Mode> = ["simple", "prepared"]

const median = (values: ReadonlyArray<number>) => percentile(values, 0.5)

interface CommandRound {
  readonly rate: number
  readonly p50: number
  readonly p99: number
}

const loadProgram = (url: string) =>
  start(programFile("packages/starbase/bench/JournalLoad.process.ts"), [url], ["--expose-gc"])

const rivalsOf = async (): Promise<ReadonlyArray<Rival>> => {
  const load = { callers, entities }
  if (rivals) {
    return fetchRivals(
      {
        workerd: (folder) => startWorkerd(folder, load, "write", healthCheck),
        Restate: (folder) => startRestate(folder, load, healthCheck)
      },
      progress
    )
  }
  progress("workerd and Restate are left out: --rivals fetches them")
  return []
}

await main(async () => {
  progress("Starting PostgreSQL and a runner")
  const postgres = await start(programFile("infra/launchpad/bench/Postgres.process.ts"))
  const url = await postgres.ask<string>("database")
  const pgbench = findPgbench()
  if (pgbench === undefined) progress("pgbench is left out: there is none on this machine")
  const others = await rivalsOf()
  try {
    const runner = await loadProgram(url)
    await runner.ask("create", { from: 0, count: entities, settings: 1 })
    await runner.ask("twin")
    const row = await runner.ask<Row>("specimen")
    await runner.ask("round", { callers, entities, seconds: 3 })
    const ours: Array<CommandRound> = []
    const rows: Record<Mode, Array<number>> = { simple: [], prepared: [] }
    const theirs = new Map(others.map(({ name }) => [name, [] as Array<number>]))
    for (let round = 1; round <= rounds; round++) {
      const turns = [
        async () => {
          ours.push(await runner.ask<CommandRound>("round", { callers, entities, seconds }))
        },
        async () => {
          for (const mode of pgbench === undefined ? [] : modes) {
            const load = { clients: callers, entities, seconds, mode }
            rows[mode].push(await insertRate(pgbench ?? "", url, row, load))
          }
        },
        ...others.map((rival) => async () => {
          theirs.get(rival.name)?.push(await rival.round(seconds))
        })
      ]
      // Who goes first changes, so that nobody always follows the same other.
      for (const turn of round % 2 === 0 ? turns.toReversed() : turns) await turn()
      const last = [
        `commands ${Math.round(ours.at(-1)?.rate ?? Number.NaN)}/s`,
        ...modes.flatMap((mode) =>
          rows[mode].length === 0 ? [] : [`pgbench ${mode} ${Math.round(rows[mode].at(-1)!)}/s`]
        ),
        ...[...theirs].map(([name, rates]) => `${name} ${Math.round(rates.at(-1) ?? Number.NaN)}/s`)
      ]
      progress(`round ${round} of ${rounds}: ${last.join(", ")}`)
    }
    const lone = await runner.ask<CommandRound>("round", { callers: 1, entities, seconds })
    progress(`Waking ${idle} entities, ${activations} times`)
    await runner.ask("create", { from: entities, count: idle, settings: 2 })
    await runner.stop()
    const woken: Array<{ readonly rate: number; readonly heapBytes: number }> = []
    for (let time = 0; time < activations; time++) {
      const fresh = await loadProgram(url)
      // The first entities of a process compile what all others use.
      await fresh.ask("activate", { from: 0, count: Math.min(200, entities), callers })
      woken.push(await fresh.ask("activate", { from: entities, count: idle, callers }))
      await fresh.stop()
    }

    const rate = median(ours.map((round) => round.rate))
    const compared = [
      ...modes.map((mode) => [`pgbench, ${callers} clients, ${mode}`, median(rows[mode])] as const),
      ...[...theirs].map(([name, rates]) => [name, median(rates)] as const)
    ].filter(([, other]) => !Number.isNaN(other))
    const results = {
      load: { callers, entities, seconds, rounds },
      commandsPerSecond: Math.round(rate),
      commandMs: {
        p50: median(ours.map(({ p50 }) => p50)),
        p99: median(ours.map(({ p99 }) => p99)),
        loneP50: lone.p50
      },
      comparedPerSecond: Object.fromEntries(compared.map(([name, other]) => [name, Math.round(other)])),
      ratios: Object.fromEntries(compared.map(([name, other]) => [name, Number((rate / other).toFixed(2))])),
      versions: Object.fromEntries([
        ...(pgbench === undefined ? [] : [["pgbench", versionOf(pgbench)]]),
        ...others.map(({ name, version }) => [name, version])
      ]),
      activationsPerSecond: Math.round(median(woken.map((time) => time.rate))),
      heapBytesPerIdleEntity: Math.round(median(woken.map(({ heapBytes }) => heapBytes))),
      idleEntities: idle,
      targets,
      rounds: { commands: ours, rows, rivals: Object.fromEntries(theirs) }
    }
    const lines = [
      ["durable, medians", "per second", "commands against it"],
      ["commands of App entities", Math.round(rate), ""],
      ...compared.map(([name, other]) => [name, Math.round(other), `${(rate / other).toFixed(2)} ×`])
    ]
    progress(`\n${table(lines)}`)
    progress(
      `\nA command: p50 ${results.commandMs.p50.toFixed(1)} ms, p99 ${results.commandMs.p99.toFixed(1)} ms; ` +
        `one caller alone: p50 ${lone.p50.toFixed(1)} ms`
    )
    progress(
      `Activations: ${results.activationsPerSecond}/s (target ${targets.activations}); ` +
        `heap of an idle entity: ${results.heapBytesPerIdleEntity} bytes (target ${targets.heapBytes})`
    )
    record("journal", results)
  } finally {
    for (const rival of others) await rival.stop()
  }
})
