/**
 * One OS process group (adapter over node:child_process). The process leads a group and a session of its own, carries
 * a marker in its environment, and is written to a pid file before anything else can go wrong, so that whatever
 * becomes of Launchpad it can be found and ended (INV-RUN-1, INV-RUN-2).
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { spawn, type ChildProcess } from "node:child_process"
import * as os from "node:os"
import { processEntry } from "./internal/processTable.ts"
import { remainsOf, signalGroup } from "./internal/processGroup.ts"
import type { OutputStream } from "./internal/logFile.ts"
import type { Variables } from "./ContainerEnvironment.ts"
import type { OrphanRegister } from "./OrphanRegister.ts"
import type { ProcessUser } from "./UserIds.ts"

export interface ProcessRequest {
  /** Unique per start; becomes the marker's value and the name of the pid file. */
  readonly instanceId: string
  readonly arguments: ReadonlyArray<string>
  readonly directory: string
  readonly environment: Variables
  readonly user: ProcessUser | undefined
  readonly output: (stream: OutputStream, chunk: Uint8Array) => void
  /** Between SIGTERM and SIGKILL when the scope closes while the process runs. */
  readonly shutdownGrace: Duration.Duration
  /** How long to wait for the last output once nothing of the container is left. */
  readonly outputSettle: Duration.Duration
}

export interface ProcessExit {
  /** 128 + signal number when a signal ended it. */
  readonly exitCode: number
  readonly signal: string | undefined
}

/** The operating system would not start it: no such file, not executable, no such directory. */
export class ProcessStartFailed extends Schema.TaggedError<ProcessStartFailed>()("ProcessStartFailed", {
  file: Schema.String,
  directory: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    const code = this.cause instanceof Error && "code" in this.cause ? String(this.cause.code) : "unknown"
    return code === "ENOENT"
      ? `exec: "${this.file}": executable file not found in $PATH, or no directory ${this.directory}`
      : `exec: "${this.file}": ${code}`
  }
}

export interface ContainerProcess {
  readonly pid: number
  readonly exited: Effect.Effect<ProcessExit>
  /** To the whole group. Nothing happens when it is over. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Ids of everything that belongs to it now. */
  readonly members: Effect.Effect<ReadonlyArray<number>>
  /** SIGTERM → grace → SIGKILL; returns when nothing is left. */
  readonly stop: (grace: Duration.Duration) => Effect.Effect<ProcessExit>
}

/** Name of the environment variable that marks a container's processes. */
export const markerVariable = "LAUNCHPAD_CONTAINER_INSTANCE"

/** Pause between two looks at processes that should be gone. */
const settlePause = Duration.millis(20)

const numberOf = (signal: string): number =>
  Object.entries(os.constants.signals).find(([name]) => name === signal)?.[1] ?? 0

const launch = (request: ProcessRequest): Effect.Effect<ChildProcess, ProcessStartFailed> =>
  Effect.callback((resume) => {
    const [file = "", ...args] = request.arguments
    const failed = (cause: unknown) =>
      resume(Effect.fail(new ProcessStartFailed({ file, directory: request.directory, cause })))
    const start = () =>
      spawn(file, args, {
        cwd: request.directory,
        env: { ...request.environment, [markerVariable]: request.instanceId },
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
        ...(request.user === undefined ? {} : { uid: request.user.uid, gid: request.user.gid })
      })
    let child: ReturnType<typeof start>
    try {
      child = start()
    } catch (cause) {
      failed(cause)
      return
    }
    child.stdout.on("data", (chunk: Buffer) => request.output("stdout", chunk))
    child.stderr.on("data", (chunk: Buffer) => request.output("stderr", chunk))
    child.once("error", failed)
    child.once("spawn", () => resume(Effect.succeed(child)))
  })

const exitOf = (code: number | null, signal: string | null): ProcessExit => ({
  exitCode: code ?? 128 + numberOf(signal ?? ""),
  signal: signal ?? undefined
})

/**
 * Starts the process; when the scope closes it is stopped and nothing of it is left. Output that comes after the
 * end of the scope is dropped.
 */
export const start = Effect.fn("ContainerProcess.start")(function* (
  request: ProcessRequest,
  register: OrphanRegister["Service"]
): Effect.fn.Return<ContainerProcess, ProcessStartFailed, Scope.Scope> {
  const clock = yield* Clock.Clock
  const marker = `${markerVariable}=${request.instanceId}`

  const begin = Effect.gen(function* () {
    const exit = yield* Deferred.make<ProcessExit>()
    const silent = yield* Deferred.make<void>()
    const child = yield* launch(request)
    const pid = child.pid ?? 0
    child.once("exit", (code, signal) => Deferred.doneUnsafe(exit, Effect.succeed(exitOf(code, signal))))
    child.once("close", () => Deferred.doneUnsafe(silent, Effect.void))
    if (child.exitCode !== null || child.signalCode !== null) {
      Deferred.doneUnsafe(exit, Effect.succeed(exitOf(child.exitCode, child.signalCode)))
    }
    const startTime = processEntry(pid)?.startTime ?? 0
    yield* register.add({ instanceId: request.instanceId, pid, startTime })

    const members = Effect.sync(() => remainsOf(pid, startTime, marker))
    const clear: Effect.Effect<void> = Effect.gen(function* () {
      if (startTime === 0) {
        signalGroup([-pid], "SIGKILL")
      }
      let left = remainsOf(pid, startTime, marker)
      while (left.length > 0) {
        signalGroup(left, "SIGKILL")
        yield* Effect.sleep(settlePause)
        left = remainsOf(pid, startTime, marker)
      }
    })
    const signal = (name: NodeJS.Signals) =>
      Effect.sync(() => {
        if (child.exitCode === null && child.signalCode === null) {
          signalGroup([-pid], name)
        }
      })
    const ended = Deferred.await(exit).pipe(
      Effect.tap(() => clear),
      Effect.tap(() => Effect.timeoutOption(Deferred.await(silent), request.outputSettle))
    )
    const stop = (grace: Duration.Duration) =>
      Effect.gen(function* () {
        yield* signal("SIGTERM")
        const left = Duration.toMillis(grace)
        if (left > 0) {
          yield* Effect.timeoutOption(Deferred.await(exit), grace)
        }
        yield* signal("SIGKILL")
        return yield* ended
      }).pipe(Effect.provideService(Clock.Clock, clock))
    return { pid, exited: ended, signal, members, stop }
  })

  return yield* Effect.acquireRelease(begin, (process) =>
    Effect.andThen(process.stop(request.shutdownGrace), register.remove(request.instanceId))
  )
})
