/**
 * `npm run bench burst`: one tenant pushes ten times as much as it did for a while; how much longer the others' pushes then
 * take to be acknowledged, in runs by turns with quiet ones.
 */
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort } from "./freePort.ts"
import { main, type Program, start } from "./program.ts"
import { programFile, progress, record, words } from "./report.ts"
import { percentile } from "./statistics.ts"

const { pairs, quietRate, seconds, tenants } = words({ pairs: 5, quietRate: 1, seconds: 60, tenants: 10 })

const target = 1.5

interface Pushed {
  readonly latencies: ReadonlyArray<ReadonlyArray<number>>
  readonly refused: ReadonlyArray<number>
}

/** Pushes of ten tenants; in every second run the first one pushes ten times as much as it does in the other. */
const burst = async (program: Program) => {
  await program.ask("createTenants", { tenants })
  const others = async (first: number) => {
    const perSecond = Array.from({ length: tenants }, (_, n) => (n === 0 ? first : quietRate))
    const { latencies, refused } = await program.ask<Pushed>("push", { perSecond, seconds })
    return {
      p99: percentile(latencies.slice(1).flat(), 0.99),
      refused: refused.slice(1).reduce((a, b) => a + b, 0)
    }
  }
  await others(quietRate)
  const ratios: Array<number> = []
  for (let pair = 1; pair <= pairs; pair++) {
    const quiet = await others(quietRate)
    const loud = await others(10 * quietRate)
    ratios.push(loud.p99 / quiet.p99)
    progress(
      `burst ${pair} of ${pairs}: others' p99 ${quiet.p99.toFixed(1)} → ${loud.p99.toFixed(1)} ms, refused ${loud.refused}`
    )
  }
  return ratios
}

const folder = mkdtempSync(join(tmpdir(), "starform-burst-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
await main(async () => {
  progress("Starting PostgreSQL and Starbase")
  const postgres = await start(programFile("infra/launchpad/bench/Postgres.process.ts"))
  const program = await start(programFile("packages/starbase/bench/Starbase.process.ts"), [
    await postgres.ask<string>("database"),
    String(await freePort()),
    folder,
    randomBytes(32).toString("base64")
  ])
  const ratios = await burst(program)
  const median = percentile(ratios, 0.5)
  console.log(
    `\nothers' p99 in a burst to that of a quiet run, median of pairs: ${median.toFixed(2)} (target ≤ ${target})`
  )
  record("burst", {
    load: { tenants, pushesPerSecond: quietRate, times: 10, seconds },
    ratios,
    median,
    target
  })
})
