/** A person's repository, by the real git, with nothing of this machine's configuration; removed with the scope. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect, Schedule } from "effect"

export interface Ran {
  readonly status: number
  /** Both outputs, in the order in which they came, without the blanks that git ends remote lines with. */
  readonly output: string
}

export interface Running {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Effect.Effect<Ran>
}

const environment = (home: string): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: home,
  LANG: "C.UTF-8",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_AUTHOR_NAME: "A Developer",
  GIT_AUTHOR_EMAIL: "developer@example.com",
  GIT_COMMITTER_NAME: "A Developer",
  GIT_COMMITTER_EMAIL: "developer@example.com"
})

/** git in a folder. A process group of its own, so that it can be interrupted as a terminal does it. */
const startIn = (folder: string, args: ReadonlyArray<string>): Running => {
  const child = spawn("git", [...args], { cwd: folder, env: environment(folder), detached: true })
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8")
    stream.on("data", (text: string) => (output += text))
  }
  const ended = new Promise<Ran>((end) =>
    child.once("close", (code) => end({ status: code ?? -1, output: output.replaceAll(/ +$/gm, "") }))
  )
  return { child, output: () => output, ended: Effect.promise(() => ended) }
}

const make = (folder: string) => {
  const start = (...args: ReadonlyArray<string>): Running => startIn(folder, args)
  const run = (...args: ReadonlyArray<string>) => Effect.suspend(() => start(...args).ended)
  const git = (...args: ReadonlyArray<string>) =>
    Effect.flatMap(run(...args), ({ status, output }) =>
      status === 0 ? Effect.succeed(output.trim()) : Effect.die(`git ${args.join(" ")}: ${output}`)
    )
  /** Commits and answers the commit. */
  const commit = (files: Readonly<Record<string, string | Buffer>>, message = "Change") =>
    Effect.gen(function* () {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true })
        writeFileSync(join(folder, path), text)
      }
      yield* git("add", "--all")
      yield* git("commit", "--quiet", "--allow-empty", `--message=${message}`)
      return yield* git("rev-parse", "HEAD")
    })
  return { folder, start, run, git, commit }
}

export type GitClone = ReturnType<typeof make>

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "git-clone-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A new repository on branch `main`. */
export const empty = Effect.gen(function* () {
  const clone = make(yield* folder)
  yield* clone.git("init", "--quiet", "--initial-branch=main")
  return clone
})

/** A clone of a remote. */
export const of = Effect.fnUntraced(function* (remote: string) {
  const clone = make(yield* folder)
  yield* clone.git("clone", "--quiet", remote, ".")
  return clone
})

/** The value once it is as it shall be; dies with the last one after 15 s. */
export const until = <A, E, R>(
  what: string,
  look: Effect.Effect<A, E, R>,
  isSo: (value: A) => boolean
): Effect.Effect<A, E, R> => {
  let last: A | undefined
  return look.pipe(
    Effect.tap((value) => Effect.sync(() => (last = value))),
    Effect.repeat({ schedule: Schedule.spaced("25 millis"), until: isSo }),
    Effect.timeoutOrElse({
      duration: "15 seconds",
      orElse: () => Effect.die(`${what}: ${typeof last === "string" ? last : JSON.stringify(last)}`)
    })
  )
}

/** Waits until a running git has said it. */
export const says = (running: Running, text: string) =>
  until(`git says "${text}"`, Effect.sync(running.output), (output) => output.includes(text))
