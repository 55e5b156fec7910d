/** Ending processes that left their group, by what they cannot take off: their user or the mark in their environment. */
import * as Fs from "node:fs/promises"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export interface SweepTarget {
  /** Every process of these users belongs to the builds; empty when the users are not the builds' own. */
  readonly uids: ReadonlySet<number>
  /** Variable of the environment, `<key>=<value>`, or the beginning of it. */
  readonly mark: string
}

/** How long killed processes are given to be gone before they are looked for again. */
const settleInterval = "5 millis"

const belongs = async (pid: number, { uids, mark }: SweepTarget): Promise<boolean> => {
  const status = await Fs.readFile(`/proc/${pid}/status`, "utf8")
  if (/^State:\s+[ZX]/m.test(status)) return false
  // The owner of /proc/<pid> would be root's for a process that hides its memory.
  const users = /^Uid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/).map(Number) ?? []
  if (users.some((uid) => uids.has(uid))) return true
  const environment = await Fs.readFile(`/proc/${pid}/environ`, "utf8")
  return environment.split("\0").some((variable) => variable.startsWith(mark))
}

/** A process that ends meanwhile, or that this user may not look at, is nobody's. */
const living = async (target: SweepTarget): Promise<ReadonlyArray<number>> => {
  const names = await Fs.readdir("/proc").catch(() => [])
  const pids = names.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid)
  const found = await Promise.all(
    pids.map((pid) =>
      belongs(pid, target).then(
        (isOurs) => (isOurs ? [pid] : []),
        () => []
      )
    )
  )
  return found.flat()
}

export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended meanwhile.
  }
}

/**
 * Completes when no process of the target lives; without effect where there is no /proc. All are stopped before any is
 * killed, so that none starts another in the room that a killed one left. A defect when some live after `deadline`.
 */
export const sweepProcesses = Effect.fnUntraced(function* (target: SweepTarget, deadline: Duration.Input) {
  const startedAtMs = yield* Clock.currentTimeMillis
  const stopped = new Set<number>()
  for (;;) {
    const pids = yield* Effect.promise(() => living(target))
    if (pids.length === 0) return
    const running = pids.filter((pid) => !stopped.has(pid))
    for (const pid of running) {
      signal(pid, "SIGSTOP")
      stopped.add(pid)
    }
    if (running.length > 0) continue
    for (const pid of pids) signal(pid, "SIGKILL")
    yield* Effect.sleep(settleInterval)
    if (
      (yield* Clock.currentTimeMillis) - startedAtMs >
      Duration.toMillis(Duration.fromInputUnsafe(deadline))
    ) {
      return yield* Effect.die(
        new Error(`INV-HBL-2: processes of a build cannot be ended: ${pids.join(", ")}`)
      )
    }
  }
})
