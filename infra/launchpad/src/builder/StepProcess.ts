/** One step of a build as one process group, bounded in time and output (INV-HBL-1, INV-HBL-2, INV-HBL-4). */
import { type ChildProcess, spawn } from "node:child_process"
import { setPriority } from "node:os"
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
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

const StepEnd = Schema.Literals(["exit", "timeout", "output", "notStarted"])

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
 * Joins both outputs in the order in which they are written, forbids core files, is the first to go when memory runs
 * out, limits processes where the shell can (`-u` or `-p`, by shell), and becomes the command.
 */
const wrapper = [
  "exec 2>&1",
  "ulimit -c 0",
  "{ echo 1000 > /proc/self/oom_score_adj; } 2>/dev/null",
  'if [ "$0" != 0 ]; then ulimit -u "$0" 2>/dev/null || ulimit -p "$0" 2>/dev/null; fi',
  'exec "$@"'
].join("; ")

interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

interface RunningStep {
  readonly child: ChildProcess
  readonly exited: Deferred.Deferred<Exit, StepFailed>
  /** Nobody holds the output any more. */
  readonly closed: Deferred.Deferred<void>
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
  lines: Queue.Queue<string, Cause.Done>
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
  const output = makeOutputLines(settings.lineLengthMax)
  let outputBytes = 0
  let outputLines = 0
  child.once("error", (cause) => Deferred.doneUnsafe(exited, Effect.fail(stopped("notStarted", cause))))
  child.once("exit", (code, name) => Deferred.doneUnsafe(exited, Effect.succeed({ code, signal: name })))
  child.stdout?.on("data", (bytes: Uint8Array) => {
    if (outputBytes > settings.outputBytesMax || outputLines > settings.outputLinesMax) return
    const complete = output.push(bytes)
    outputBytes += bytes.length
    outputLines += complete.length
    Queue.offerAllUnsafe(lines, complete)
    if (outputBytes > settings.outputBytesMax || outputLines > settings.outputLinesMax) {
      Deferred.doneUnsafe(exited, Effect.fail(stopped("output")))
    }
  })
  child.stdout?.once("close", () => {
    Queue.offerAllUnsafe(lines, output.end())
    Deferred.doneUnsafe(closed, Effect.void)
  })
  return { child, exited, closed }
}

/** Ends the group and waits until its leader is reaped. */
const endGroup = ({ child }: RunningStep): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.pid === undefined) return resume(Effect.void)
    signal(-child.pid, "SIGKILL")
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

/** Completes when the command exits with 0. Told all lines and ended its processes in any case. @errors StepFailed */
export const runStep: (command: StepCommand) => Effect.Effect<void, StepFailed, HostBuilderConfig> =
  Effect.fn("runStep")(function* (command) {
    const settings = yield* HostBuilderConfig
    const lines = yield* Queue.unbounded<string, Cause.Done>()
    const telling = yield* Effect.forkChild(
      Stream.runForEach(Stream.fromQueue(lines), (line) => command.onLine(line))
    )
    const [step, exit] = yield* Effect.acquireUseRelease(
      Effect.sync(() => start(command, settings, lines)),
      (running) =>
        Deferred.await(running.exited).pipe(
          Effect.timeoutOrElse({
            duration: settings.stepTimeout,
            orElse: () => Effect.fail(stopped("timeout"))
          }),
          Effect.exit,
          Effect.map((exit) => [running, exit] as const)
        ),
      (running) => Effect.andThen(endGroup(running), command.endStragglers)
    )
    yield* Deferred.await(step.closed).pipe(Effect.timeoutOption(settings.outputDrainTimeout))
    yield* Effect.sync(() => step.child.stdout?.destroy())
    yield* Queue.end(lines)
    yield* Fiber.join(telling)
    const { code, signal: name } = yield* exit
    if (code !== 0) return yield* new StepFailed({ end: "exit", exitCode: code, signal: name })
  })
