/**
 * Programs of others beside ours: fetched into a temporary folder when a benchmark is asked for them, and gone with it. One
 * that cannot be fetched or started is left out, with the reason.
 */
import { execFileSync, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Load {
  readonly callers: number
  readonly entities: number
}

export interface Rival {
  readonly name: string
  readonly version: string
  /** Asks per second that were answered. */
  readonly round: (seconds: number) => Promise<number>
  readonly stop: () => Promise<void>
}

const startPatienceMs = 20_000

export const install = (folder: string, ...packages: ReadonlyArray<string>): void => {
  execFileSync(
    "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, ...packages],
    { stdio: ["ignore", "ignore", "pipe"], timeout: 180_000 }
  )
}

export const versionOf = (binary: string): string =>
  execFileSync(binary, ["--version"], { encoding: "utf8" }).trim()

/** Answers how to end it. */
export const run = (
  command: string,
  words: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): (() => Promise<void>) => {
  const child = spawn(command, [...words], {
    stdio: ["ignore", "ignore", "ignore"],
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...env }
  })
  const ended = new Promise<void>((end) => child.once("exit", () => end()))
  const kill = () => void child.kill("SIGKILL")
  // Node ends this process without asking when nothing else is left; the rival must not outlive it.
  process.once("exit", kill)
  return async () => {
    kill()
    await ended
  }
}

/** Repeats until it succeeds; the last problem when patience ends. */
export const eventually = async <A>(work: () => Promise<A>): Promise<A> => {
  const until = performance.now() + startPatienceMs
  for (;;) {
    try {
      return await work()
    } catch (problem) {
      if (performance.now() > until) throw problem
      await new Promise((next) => setTimeout(next, 200))
    }
  }
}

export const post = async (url: string, body: unknown): Promise<string> => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`)
  return text
}

/**
 * Those that could be started, in order.
 *
 * @param starts by name, each in a folder of its own; what one starts it also ends when it fails
 */
export const fetchRivals = async (
  starts: Readonly<Record<string, (folder: string) => Promise<Rival>>>,
  progress: (line: string) => void
): Promise<ReadonlyArray<Rival>> => {
  const started: Array<Rival> = []
  for (const [name, startRival] of Object.entries(starts)) {
    const folder = mkdtempSync(join(tmpdir(), "starform-rival-"))
    const remove = () => rmSync(folder, { recursive: true, force: true })
    try {
      progress(`Fetching and starting ${name}`)
      const rival = await startRival(folder)
      started.push({ ...rival, stop: () => rival.stop().then(remove) })
    } catch (problem) {
      remove()
      progress(`${name} is left out: ${problem instanceof Error ? problem.message : String(problem)}`)
    }
  }
  return started
}
