/** Ending processes that left their group, by what they cannot take off: their user or the mark in their environment. */
import * as Fs from "node:fs/promises"

export interface SweepTarget {
  /** Every process of this user belongs to the build; `null` when the user is not the build's own. */
  readonly uid: number | null
  /** Variable of the environment, `<key>=<value>`, or the beginning of it. */
  readonly mark: string
}

/** Rounds until a swarm that goes on starting processes is given up. */
const roundsMax = 50

const belongs = async (pid: number, { uid, mark }: SweepTarget): Promise<boolean> => {
  if (uid !== null && (await Fs.stat(`/proc/${pid}`)).uid === uid) return true
  const environment = await Fs.readFile(`/proc/${pid}/environ`, "utf8")
  return environment.split("\0").some((variable) => variable.startsWith(mark))
}

const isZombie = async (pid: number): Promise<boolean> =>
  /^State:\s+Z/m.test(await Fs.readFile(`/proc/${pid}/status`, "utf8"))

const living = async (target: SweepTarget): Promise<ReadonlyArray<number>> => {
  const names = await Fs.readdir("/proc").catch(() => [])
  const pids = names.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid)
  const found = await Promise.all(
    pids.map(async (pid) => {
      const isOurs = await belongs(pid, target).then(
        async (is) => is && !(await isZombie(pid)),
        () => false
      )
      return isOurs ? [pid] : []
    })
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

/** Completes when no process of the target lives; without effect where there is no /proc. */
export const sweepProcesses = async (target: SweepTarget): Promise<void> => {
  for (let round = 0; round < roundsMax; round++) {
    const pids = await living(target)
    if (pids.length === 0) return
    for (const pid of pids) signal(pid, "SIGKILL")
  }
  throw new Error("processes of a build cannot be ended")
}
