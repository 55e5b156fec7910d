/**
 * `npm run bench failover`: three runners and a door that owns nothing, over one PostgreSQL, under a steady load. One
 * runner after another is killed: how long until every entity that it owned answers again. Then one after another is told
 * to end: no ask may fail.
 */
import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { main, type Program, start } from "./program.ts"
import { programFile, progress, record, words } from "./report.ts"
import { percentile, table } from "./statistics.ts"

interface Watched {
  readonly missing: number
  readonly lastMs: number
}

interface Tally {
  readonly answered: number
  readonly repeated: Readonly<Record<string, number>>
  readonly failed: Readonly<Record<string, number>>
  readonly longestMs: number
  readonly waiting: number
}

const { runners, entities, rate, kills, stops } = words({
  runners: 3,
  entities: 300,
  rate: 600,
  kills: 20,
  stops: 3
})

/** Of the issue that this measures. */
const targets = { p50Ms: 5000, worstMs: 8000, failed: 0 }

const withinMs = 60_000

/** What is still in flight after a change has this long to end before it is counted. */
const quietMs = 1000

const monotonicMs = () => Number(process.hrtime.bigint()) / 1e6

const until = async (what: string, isSo: () => Promise<boolean>) => {
  const from = monotonicMs()
  while (!(await isSo())) {
    if (monotonicMs() - from > withinMs) throw new Error(`${what}: not within ${withinMs / 1000} s`)
    await sleep(50)
  }
}

const total = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

const shown = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .map(([kind, count]) => `${kind}: ${count}`)
    .join(", ") || "none"

const seconds = (ms: number) => (ms / 1000).toFixed(2)

await main(async () => {
  progress(`Starting PostgreSQL, ${runners} runners and a door`)
  const postgres = await start(programFile("infra/launchpad/bench/Postgres.process.ts"))
  const url = await postgres.ask<string>("database")
  const masterKey = randomBytes(32).toString("base64")
  const member = (kind: string) =>
    start(programFile("packages/starbase/bench/Member.process.ts"), [url, masterKey, kind])
  const present: Array<Program> = []
  for (let n = 0; n < runners; n++) present.push(await member("runner"))
  const door = await member("door")

  /** Every entity has one owner, and everybody owns a fair part. */
  const settled = () =>
    until("the shards are shared out", async () => {
      const owned = await Promise.all(
        present.map((runner) => runner.ask<ReadonlyArray<number>>("owned", entities))
      )
      const counts = owned.map(({ length }) => length)
      return (
        counts.every((count) => count > entities / runners / 3) &&
        counts.reduce((sum, count) => sum + count, 0) === entities
      )
    })

  await settled()
  await door.ask("create", entities)
  await door.ask("load", { entities, perSecond: rate })
  await sleep(3000)
  await door.ask("tally")

  /** The one that has been there for the longest; each has its turn. */
  const replace = async (signal: "SIGKILL" | "SIGTERM") => {
    const victim = present.shift()!
    const owned = await victim.ask<ReadonlyArray<number>>("owned", entities)
    const ended = new Promise((resolve) => victim.child.once("exit", resolve))
    victim.child.kill(signal)
    const sinceMs = monotonicMs()
    await door.ask("watch", { entities: owned, sinceMs })
    await ended
    const endedMs = monotonicMs() - sinceMs
    await until("every entity answers", async () => (await door.ask<Watched>("watched")).missing === 0)
    const { lastMs } = await door.ask<Watched>("watched")
    await sleep(quietMs)
    const tally = await door.ask<Tally>("tally")
    present.push(await member("runner"))
    await settled()
    await sleep(quietMs)
    // What the arrival of a runner does to callers is told apart from what the end of one does.
    const arrival = await door.ask<Tally>("tally")
    return { owned: owned.length, silentMs: lastMs - sinceMs, endedMs, ...tally, arrival }
  }

  const killed = []
  for (let n = 1; n <= kills; n++) {
    const one = await replace("SIGKILL")
    killed.push(one)
    progress(
      `kill ${n} of ${kills}: its ${one.owned} entities answer after ${seconds(one.silentMs)} s; ` +
        `asks repeated ${total(one.repeated)}, failed ${shown(one.failed)}`
    )
  }
  const stopped = []
  for (let n = 1; n <= stops; n++) {
    const one = await replace("SIGTERM")
    stopped.push(one)
    progress(
      `stop ${n} of ${stops}: ended after ${seconds(one.endedMs)} s; longest wait of an ask ${seconds(one.longestMs)} s; ` +
        `repeated ${shown(one.repeated)}, failed ${shown(one.failed)}`
    )
  }
  await door.ask("end")

  const silent = killed.map(({ silentMs }) => silentMs)
  const failedOf = (rounds: ReadonlyArray<{ readonly failed: Readonly<Record<string, number>> }>) =>
    rounds.reduce((sum, { failed }) => sum + total(failed), 0)
  const arrivals = [...killed, ...stopped].map(({ arrival }) => arrival)
  progress(
    `\n${table([
      ["figure", "reached", "target"],
      [`${kills} kills: all its entities answer, p50 s`, seconds(percentile(silent, 0.5)), "≤ 5"],
      ["  worst s", seconds(Math.max(...silent)), "≤ 8"],
      ["  failed asks", failedOf(killed), ""],
      [`${stops} graceful stops: failed asks`, failedOf(stopped), "0"],
      ["  repeated asks", stopped.reduce((sum, { repeated }) => sum + total(repeated), 0), ""],
      ["  longest wait of an ask, s", seconds(Math.max(...stopped.map(({ longestMs }) => longestMs))), ""],
      [`${arrivals.length} arrivals: failed asks`, failedOf(arrivals), ""],
      ["  longest wait of an ask, s", seconds(Math.max(...arrivals.map(({ longestMs }) => longestMs))), ""]
    ])}`
  )
  record("failover", {
    load: { runners, entities, rate, kills, stops },
    targets,
    killsMs: { p50: percentile(silent, 0.5), worst: Math.max(...silent) },
    gracefulFailed: failedOf(stopped),
    kills: killed,
    stops: stopped
  })
})
