import * as fs from "node:fs"

/** One line of `/proc/<pid>/stat`, as far as it is needed (proc(5)). */
export interface ProcessEntry {
  readonly pid: number
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly session: number
  /** Clock ticks after boot; with the pid it names a process for ever. */
  readonly startTime: number
  /** Clock ticks that it and its ended children have run. */
  readonly cpuTicks: number
}

/** The command name stands in parentheses and may hold any character, so fields are counted from the last one. */
export const parseStat = (text: string): ProcessEntry | undefined => {
  const close = text.lastIndexOf(")")
  const pid = Number.parseInt(text, 10)
  const fields = text.slice(close + 2).split(" ")
  const [state, parent, group, session] = fields
  const startTime = Number(fields[19])
  const cpuTicks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return close < 0 || state === undefined || Number.isNaN(pid) || Number.isNaN(startTime)
    ? undefined
    : {
        pid,
        state,
        parent: Number(parent),
        group: Number(group),
        session: Number(session),
        startTime,
        cpuTicks
      }
}

/** Text of a procfs file; `undefined` when the process is gone, not ours to read, or the system has no procfs. */
export const readProc = (path: string): string | undefined => {
  try {
    return fs.readFileSync(`/proc/${path}`, "latin1")
  } catch {
    return undefined
  }
}

export const listProc = (path: string): ReadonlyArray<string> => {
  try {
    return fs.readdirSync(`/proc/${path}`)
  } catch {
    return []
  }
}

export const linkOf = (path: string): string | undefined => {
  try {
    return fs.readlinkSync(`/proc/${path}`)
  } catch {
    return undefined
  }
}

export const processEntry = (pid: number): ProcessEntry | undefined => {
  const stat = readProc(`${pid}/stat`)
  return stat === undefined ? undefined : parseStat(stat)
}

const isAlive = (entry: ProcessEntry): boolean => entry.state !== "Z" && entry.state !== "X"

/** Every process, those too that have ended and that nobody has waited for. */
export const allEntries = (): ReadonlyArray<ProcessEntry> =>
  listProc("").flatMap((name) => {
    const entry = /^\d+$/.test(name) ? processEntry(Number(name)) : undefined
    return entry === undefined ? [] : [entry]
  })

/** Every live process. */
export const processEntries = (): ReadonlyArray<ProcessEntry> => allEntries().filter(isAlive)

/** Whether the process was started with `marker` (a `NAME=value` text) in its environment. */
export const carriesMarker = (pid: number, marker: string): boolean =>
  readProc(`${pid}/environ`)?.split("\0").includes(marker) === true
