import { allEntries, type ProcessEntry, readProc } from "./processTable.ts"

export interface GroupUsage {
  readonly cpuTicks: number
  readonly memoryBytes: number
}

/** `USER_HZ`, the same on every Linux (proc(5)). */
export const ticksPerSecond = 100

const residentBytes = (pid: number): number => {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`) ?? "")?.[1]
  return Number(kilobytes ?? 0) * 1024
}

/**
 * What the processes of each leader's group and session have used, in one look at the process table. What has ended
 * counts until its parent waits for it and takes its time over: else that time would be missed, and come back at once.
 */
export const usageOfGroups = (leaders: ReadonlyArray<number>): ReadonlyMap<number, GroupUsage> => {
  const known = new Set(leaders)
  const leaderOf = ({ group, session }: ProcessEntry): number | undefined =>
    known.has(group) ? group : known.has(session) ? session : undefined
  const result = new Map<number, GroupUsage>()
  for (const entry of leaders.length === 0 ? [] : allEntries()) {
    const leader = leaderOf(entry)
    if (leader === undefined) continue
    const sum = result.get(leader) ?? { cpuTicks: 0, memoryBytes: 0 }
    result.set(leader, {
      cpuTicks: sum.cpuTicks + entry.cpuTicks,
      memoryBytes: sum.memoryBytes + residentBytes(entry.pid)
    })
  }
  return result
}
