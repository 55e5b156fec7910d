/** What a result was measured on: sizes and versions, no names. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { availableParallelism, release, totalmem } from "node:os"

export const machine = () => ({
  cores: availableParallelism(),
  memoryGiB: Math.round(totalmem() / 1024 ** 3),
  system: `${process.platform} ${release()}`,
  node: process.version,
  git: execFileSync("git", ["--version"], { encoding: "utf8" }).trim()
})

/** The commit that was measured, with a plus when the tree has changes. */
export const revision = (): string => {
  const git = (...args: ReadonlyArray<string>) => execFileSync("git", args, { encoding: "utf8" }).trim()
  return git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain") === "" ? "" : "+")
}

/** Resident memory of a process in MiB, as the kernel counts it. */
export const residentMebibytes = (pid: number): number => {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
  return Math.round(Number(line) / 1024)
}
