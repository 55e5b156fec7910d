/**
 * One Node process of the platform: started in a process group of its own, logged to a file, ended by its scope, and by
 * itself when this process is gone without a word (it holds the other end of the child's standard input).
 */
import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, fstatSync, openSync } from "node:fs"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/** How long a process may take to end by itself before it is killed. */
export const endPatience = Duration.seconds(20)

/** How long a process may take until it answers. */
export const readyPatience = Duration.seconds(60)

/** A process ended although nobody asked it to, or never got ready. */
export class ProcessEnded extends Schema.TaggedError<ProcessEnded>()("ProcessEnded", {
  name: Schema.String,
  how: Schema.String,
  logFile: Schema.String,
  lastLines: Schema.Array(Schema.String)
}) {
  override get message() {
    return [
      `${this.name} ${this.how}. Its log: ${this.logFile}`,
      ...this.lastLines.map((line) => `  ${line}`)
    ].join("\n")
  }
}

export interface ProcessSpec {
  readonly name: string
  /** The program, a TypeScript file. */
  readonly program: string
  /** Beside those of every process. */
  readonly nodeFlags?: ReadonlyArray<string>
  /** All of its environment. */
  readonly env: Readonly<Record<string, string | Redacted.Redacted<string>>>
  readonly logFile: string
  /** Succeeds once the process is ready; asked again until then. */
  readonly ready: Effect.Effect<unknown, unknown>
}

export interface PlatformProcess {
  readonly name: string
  readonly pid: number
  /** Completes with the error when the process ends although its scope is open. */
  readonly ended: Effect.Effect<never, ProcessEnded>
}

const clear = (env: ProcessSpec["env"]): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).map(([key, value]) => [
      key,
      Redacted.isRedacted(value) ? Redacted.value(value) : value
    ])
  )

const endWithParent = new URL("./internal/endWithParent.ts", import.meta.url).href

const nodeFlags = ["--disable-warning=ExperimentalWarning", "--import", endWithParent]

const start = (spec: ProcessSpec) =>
  Effect.sync(() => {
    const log = openSync(spec.logFile, "a", 0o600)
    const logFrom = fstatSync(log).size
    const child = spawn(process.execPath, [...nodeFlags, ...(spec.nodeFlags ?? []), spec.program], {
      env: clear(spec.env),
      detached: true,
      stdio: ["pipe", log, log]
    })
    closeSync(log)
    const exit = Deferred.makeUnsafe<string>()
    child.once("error", (error) =>
      Deferred.doneUnsafe(exit, Effect.succeed(`could not be started: ${error.message}`))
    )
    child.once("exit", (code, signal) =>
      Deferred.doneUnsafe(
        exit,
        Effect.succeed(signal === null ? `ended with status ${code}` : `was ended by ${signal}`)
      )
    )
    return { child, exit, logFrom }
  })

const signalGroup = (child: ChildProcess, signal: NodeJS.Signals) =>
  Effect.ignore(
    Effect.try(() => {
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    })
  )

/** SIGTERM, patience, then SIGKILL to the whole group: nothing of it is left (INV-LCH-5). */
const end = ({ child, exit }: { readonly child: ChildProcess; readonly exit: Deferred.Deferred<string> }) =>
  Effect.gen(function* () {
    if (child.exitCode === null && child.signalCode === null) {
      yield* Effect.ignore(Effect.try(() => child.kill("SIGTERM")))
      yield* Effect.timeoutOption(Deferred.await(exit), endPatience)
    }
    yield* signalGroup(child, "SIGKILL")
    yield* Deferred.await(exit)
  })

const linesMax = 15
const lineLengthMax = 200

/** Last lines of a log, of what was written after its first `from` bytes: an earlier start explains nothing. */
const lastLines = Effect.fnUntraced(
  function* (file: string, from: number) {
    const fs = yield* FileSystem.FileSystem
    const text = Buffer.from(yield* fs.readFile(file))
      .subarray(from)
      .toString("utf8")
    const lines = text.trimEnd().split("\n").slice(-linesMax)
    return lines.map((line) => (line.length > lineLengthMax ? `${line.slice(0, lineLengthMax)}…` : line))
  },
  Effect.orElseSucceed((): Array<string> => [])
)

const readyPause = Duration.millis(25)

/** A server that listens before it has anybody to answer leaves the first question open for ever: ask again soon. */
const readyAnswerMax = Duration.millis(200)

const untilReady = (ready: ProcessSpec["ready"]) =>
  ready.pipe(
    Effect.timeout(readyAnswerMax),
    Effect.retry({ schedule: Schedule.spaced(readyPause) }),
    Effect.orDie
  )

/** Answers when the process is ready. It ends with the scope. */
export const launch = Effect.fnUntraced(function* (
  spec: ProcessSpec
): Effect.fn.Return<PlatformProcess, ProcessEnded, Scope.Scope | FileSystem.FileSystem> {
  const running = yield* Effect.acquireRelease(start(spec), end)
  const fail = (how: string) =>
    Effect.flatMap(lastLines(spec.logFile, running.logFrom), (lines) =>
      Effect.fail(new ProcessEnded({ name: spec.name, how, logFile: spec.logFile, lastLines: lines }))
    )
  const fs = yield* FileSystem.FileSystem
  const ended = Deferred.await(running.exit).pipe(
    Effect.flatMap(fail),
    Effect.provideService(FileSystem.FileSystem, fs)
  )
  yield* untilReady(spec.ready).pipe(
    Effect.timeoutOrElse({
      duration: readyPatience,
      orElse: () => fail(`did not answer within ${Duration.toSeconds(readyPatience)} s`)
    }),
    Effect.raceFirst(ended)
  )
  return { name: spec.name, pid: running.child.pid ?? 0, ended }
})
