/**
 * `npm run bench failover`: three runners, one of which asks every entity all the time. The others are killed in turn, and
 * then stopped gracefully; how long until everything that they owned answers again.
 */
import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { main, type Program, start } from "./program.ts"
import { programFile, progress, record, words } from "./report.ts"
import { percentile, table } from "./statistics.ts"

const { entities, everyMs, kills, stops } = words({ entities: 300, everyMs: 250, kills: 20, stops: 5 })

const target = { p50Ms: 5_000, worstMs: 8_000 }

/** No runner takes longer than this to have a share, or to be replaced. */
const patienceMs = 60_000

const until = async (isSo: () => Promise<boolean>): Promise<void> => {
  const from = performance.now()
  while (!(await isSo())) {
    if (performance.now() - from > patienceMs) throw new Error("the runners do not settle")
    await sleep(20)
  }
}

interface Silence {
  readonly longestMs: number
  readonly repeated: number
  readonly failures: ReadonlyArray<string>
}

await main(async () => {
  progress("Starting PostgreSQL and three runners")
  const postgres = await start(programFile("infra/launchpad/bench/Postgres.process.ts"))
  const database = await postgres.ask<string>("database")
  const masterKey = randomBytes(32).toString("base64")
  const runner = () =>
    start(programFile("packages/starbase/bench/Failover.process.ts"), [database, masterKey])
  const door = await runner()
  await door.ask("create", entities)
  const others: Array<Program> = [await runner(), await runner()]

  const share = async (program: Program) =>
    (await program.ask<ReadonlyArray<number>>("owned", entities)).length
  const settled = () =>
    until(async () => {
      const shares = await Promise.all([door, ...others].map(share))
      return shares.every((one) => one > entities / 10) && shares.reduce((a, b) => a + b, 0) === entities
    })
  const answeredAll = (of: ReadonlyArray<number>, sinceMs: number) =>
    new Promise<number>((resolve, reject) => {
      until(async () => {
        const { count, nowMs } = await door.ask<{ count: number; nowMs: number }>("answered", { of, sinceMs })
        if (count === of.length) resolve(nowMs - sinceMs)
        return count === of.length
      }).catch(reject)
    })

  await settled()
  await door.ask("askForEver", { entities, everyMs })
  await sleep(2_000)

  const round = async (end: (victim: Program) => Promise<unknown>) => {
    await settled()
    const victim = others.shift()!
    const of = await victim.ask<ReadonlyArray<number>>("owned", entities)
    await door.ask("silence", [])
    const sinceMs = await door.ask<number>("now")
    const ended = end(victim)
    const againMs = await answeredAll(of, sinceMs)
    await ended
    await sleep(1_000)
    const silence = await door.ask<Silence>("silence", of)
    others.push(await runner())
    return { owned: of.length, againMs, ...silence }
  }

  const killed: Array<Awaited<ReturnType<typeof round>>> = []
  for (let n = 1; n <= kills; n++) {
    const one = await round(async (victim) => victim.child.kill("SIGKILL"))
    killed.push(one)
    progress(
      `kill ${n} of ${kills}: ${one.owned} entities answer again after ${(one.againMs / 1000).toFixed(2)} s, ${one.repeated} asks repeated, ${one.failures.length} failed`
    )
  }
  const stopped: Array<Awaited<ReturnType<typeof round>>> = []
  for (let n = 1; n <= stops; n++) {
    const one = await round((victim) => victim.stop())
    stopped.push(one)
    progress(
      `stop ${n} of ${stops}: longest silence ${(one.longestMs / 1000).toFixed(2)} s, ${one.repeated} asks repeated, ${one.failures.length} failed`
    )
  }
  await door.ask("hush")

  const again = killed.map(({ againMs }) => againMs)
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`
  const failed = (rounds: ReadonlyArray<Silence>) =>
    rounds.reduce((sum, { failures }) => sum + failures.length, 0)
  const silences = stopped.map(({ longestMs }) => longestMs)
  console.log(
    `\n${table([
      ["what", "measured", "target"],
      [
        `SIGKILL, ${kills} times: all its entities answer, p50`,
        seconds(percentile(again, 0.5)),
        `≤ ${seconds(target.p50Ms)}`
      ],
      ["the same, worst", seconds(Math.max(...again)), `≤ ${seconds(target.worstMs)}`],
      ["asks that failed for good", failed(killed), "0"],
      [`graceful stop, ${stops} times: asks that failed`, failed(stopped), "0"],
      ["longest silence of an entity meanwhile", seconds(Math.max(...silences)), ""]
    ])}`
  )
  record("failover", {
    load: { entities, everyMs, runners: 3, kills, stops },
    killed: { p50Ms: percentile(again, 0.5), worstMs: Math.max(...again), target, rounds: killed },
    stopped: { failedAsks: failed(stopped), longestSilenceMs: Math.max(...silences), rounds: stopped }
  })
})
