/** A program with its output in a file, ended by its id. */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync, readFileSync } from "node:fs"
import { basename } from "node:path"

/** How long a program may take to end by itself. */
const endMilliseconds = 10_000

export class RunningProgram {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  readonly #log: string
  readonly name: string
  /** What ended it, once something has. */
  end: string | null = null

  constructor(file: string, words: ReadonlyArray<string>, log: string) {
    this.name = basename(file)
    this.#log = log
    const output = openSync(log, "a")
    this.#child = spawn(file, [...words], { stdio: ["ignore", output, output] })
    closeSync(output)
    this.#ended = new Promise((resolve) => {
      const ends = (how: string) => {
        this.end = how
        resolve()
      }
      this.#child.once("error", (cause) => ends(cause.message))
      this.#child.once("exit", (code, signal) => ends(signal ?? `status ${code}`))
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Polls until it answers; fails with its last lines when it ends or stays silent. */
  async ready(answers: () => Promise<boolean>, milliseconds: number): Promise<void> {
    const deadline = Date.now() + milliseconds
    while (!(await answers().catch(() => false))) {
      if (this.end !== null) throw this.#problem(`ended (${this.end}) before it answered`)
      if (Date.now() > deadline) throw this.#problem(`did not answer within ${milliseconds / 1_000} s`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  async stop(): Promise<void> {
    if (this.end !== null) return
    this.#child.kill("SIGTERM")
    const timer = setTimeout(() => this.kill(), endMilliseconds)
    await this.#ended
    clearTimeout(timer)
  }

  kill(): void {
    if (this.end === null) this.#child.kill("SIGKILL")
  }

  #problem(what: string): Error {
    const lines = readFileSync(this.#log, "utf8").trimEnd().split("\n").slice(-20)
    return new Error([`${this.name} ${what}; its last lines:`, ...lines].join("\n"))
  }
}
