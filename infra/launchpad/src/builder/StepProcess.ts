/** One step of a build as one process group: bounded in time, output and disk (INV-HBL-1, INV-HBL-2, INV-HBL-4). */
import { type ChildProcess, spawn } from "node:child_process"
import * as Fs from "node:fs/promises"
import { setPriority } from "node:os"
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { BuildUser } from "./BuildUsers.ts"
import { HostBuilderConfig, type HostBuilderSettings } from "./HostBuilderConfig.ts"
import { makeOutputLines } from "./internal/outputLines.ts"
import { signal } from "./internal/processSweep.ts"

export interface StepCommand {
  readonly argv: ReadonlyArray<string>
  readonly directory: string
  /** Whole: nothing is added. */
  readonly environment: Readonly<Record<string, string>>
  readonly user: BuildUser | null
  /** Ends what left the group; run as soon as the command has ended, so that nobody holds its output. */
  readonly endStragglers: Effect.Effect<void>
  /** Told every line as soon as it is complete. */
  readonly onLine: (line: string) => Effect.Effect<void>
}

const StepEnd = Schema.Literals(["exit", "timeout", "output", "disk", "notStarted"])

/** The step did not end well; its processes are gone. */
export class StepFailed extends Schema.TaggedError<StepFailed>()("StepFailed", {
  end: StepEnd,
  /** `null` when a signal ended it, or it was ended for another reason. */
  exitCode: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `step ended: ${this.end} ${this.exitCode ?? this.signal ?? ""}`.trim()
  }
}

/**
 * Joins both outputs in the order in which they are written, forbids core files, limits processes where the shell can
 * (`-u` or `-p`, by shell), and becomes the command.
 */
const wrapper =
  'exec 2>&1; ulimit -c 0; if [ "$0" != 0 ]; then ulimit -u "$0" 2>/dev/null || ulimit -p "$0" 2>/dev/null; fi; exec "$@"'

interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

interface RunningStep {
  readonly child: ChildProcess
  readonly exited: Deferred.Deferred<Exit, StepFailed>
  /** Nobody holds the output any more. */
  readonly closed: Deferred.Deferred<void>
  readonly lines: Queue.Queue<string, Cause.Done>
}

const stopped = (end: StepFailed["end"], cause?: unknown) =>
  new StepFailed({ end, exitCode: null, signal: null, ...(cause === undefined ? {} : { cause }) })

const lowerPriority = (pid: number, niceness: number): void => {
  try {
    setPriority(pid, niceness)
  } catch {
    // It has ended already.
  }
}

const start = (
  { argv, directory, environment, user }: StepCommand,
  settings: HostBuilderSettings,
  lines: RunningStep["lines"]
): RunningStep => {
  const processesMax = user === null ? "0" : `${settings.processesMax}`
  const child = spawn("/bin/sh", ["-c", wrapper, processesMax, ...argv], {
    cwd: directory,
    env: { ...environment },
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
    ...(user === null ? {} : user)
  })
  if (child.pid !== undefined) lowerPriority(child.pid, settings.niceness)

  const exited = Deferred.makeUnsafe<Exit, StepFailed>()
  const closed = Deferred.makeUnsafe<void>()
  const output = makeOutputLines(settings.lineBytesMax)
  let outputBytes = 0
  child.once("error", (cause) => Deferred.doneUnsafe(exited, Effect.fail(stopped("notStarted", cause))))
  child.once("exit", (code, name) => Deferred.doneUnsafe(exited, Effect.succeed({ code, signal: name })))
  child.stdout?.on("data", (bytes: Uint8Array) => {
    outputBytes += bytes.length
    if (outputBytes > settings.outputBytesMax) Deferred.doneUnsafe(exited, Effect.fail(stopped("output")))
    else Queue.offerAllUnsafe(lines, output.push(bytes))
  })
  child.stdout?.once("close", () => {
    Queue.offerAllUnsafe(lines, output.end())
    Deferred.doneUnsafe(closed, Effect.void)
  })
  return { child, exited, closed, lines }
}

/** Ends the group and waits until its leader is reaped. */
const endGroup = ({ child }: RunningStep): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.pid === undefined) return resume(Effect.void)
    signal(-child.pid, "SIGKILL")
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

const diskRunsLow = ({ directory, freeBytesMin, diskCheckInterval }: HostBuilderSettings) =>
  Effect.promise(() => Fs.statfs(directory)).pipe(
    Effect.flatMap(({ bavail, bsize }) =>
      bavail * bsize < freeBytesMin ? Effect.fail(stopped("disk")) : Effect.void
    ),
    Effect.repeat(Schedule.spaced(diskCheckInterval)),
    Effect.andThen(Effect.never)
  )

/** Completes when the command exits with 0. Told all lines and ended its group in any case. @errors StepFailed */
export const runStep: (command: StepCommand) => Effect.Effect<void, StepFailed, HostBuilderConfig> =
  Effect.fn("runStep")(function* (command) {
    const settings = yield* HostBuilderConfig
    const lines = yield* Queue.unbounded<string, Cause.Done>()
    const step = yield* Effect.acquireRelease(
      Effect.sync(() => start(command, settings, lines)),
      (started) => Effect.andThen(endGroup(started), command.endStragglers)
    )
    const telling = yield* Effect.forkChild(
      Stream.runForEach(Stream.fromQueue(step.lines), (line) => command.onLine(line))
    )
    const exit = yield* Effect.exit(
      Effect.raceAllFirst([
        Deferred.await(step.exited),
        Effect.andThen(Effect.sleep(settings.stepTimeout), Effect.fail(stopped("timeout"))),
        diskRunsLow(settings)
      ])
    )
    yield* endGroup(step)
    yield* command.endStragglers
    yield* Deferred.await(step.closed).pipe(Effect.timeoutOption(settings.outputDrainTimeout))
    yield* Effect.sync(() => step.child.stdout?.destroy())
    yield* Queue.end(step.lines)
    yield* Fiber.join(telling)
    const { code, signal: name } = yield* exit
    if (code !== 0) return yield* new StepFailed({ end: "exit", exitCode: code, signal: name })
  }, Effect.scoped)
