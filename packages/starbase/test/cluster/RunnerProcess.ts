/** The process of a runner as a test holds it: started, asked, frozen, ended in every way, and started again. */
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { Cause, Data, Deferred, Effect } from "effect"
import type { EntityKey } from "@starform/starbase/journal/Journal"
import type { Question, RunnerSettings, Said } from "./RunnerMessages.ts"

/** An ask that was not answered with success. `Gone`: the process has ended, or ended meanwhile. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly tag: string
  readonly message: string
}> {}

export interface Ending {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
}

export interface RunnerProcess {
  readonly name: string
  /** Until it has joined and owns shards. `changes` hold for this run alone. */
  readonly start: (changes?: Partial<RunnerSettings>) => Effect.Effect<void>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Of the present run, once it has ended. */
  readonly ended: Effect.Effect<Ending>
  readonly isRunning: () => boolean
  readonly ask: (
    entity: EntityKey,
    rpc: string,
    payload?: unknown,
    waitMs?: number
  ) => Effect.Effect<unknown, Refused>
  /** Which of these entities, of the group `default`, are its own. */
  readonly owned: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>, Refused>
  /** The last lines that it wrote, for a test that fails. */
  readonly output: () => string
}

const linesKept = 60

interface Run {
  readonly child: ChildProcess
  readonly ready: Deferred.Deferred<void>
  readonly ended: Deferred.Deferred<Ending>
  readonly asks: Map<number, (said: Said) => void>
}

const gone = new Refused({ tag: "Gone", message: "the process has ended" })

export const make = Effect.fnUntraced(function* (name: string, settings: RunnerSettings) {
  let run: Run | undefined
  let lines: ReadonlyArray<string> = []
  let asks = 0

  const launch = (changes: Partial<RunnerSettings>): Run => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "Runner.process.ts"), JSON.stringify({ ...settings, ...changes })],
      { stdio: ["ignore", "pipe", "pipe", "ipc"], serialization: "advanced" }
    )
    const next: Run = {
      child,
      ready: Deferred.makeUnsafe<void>(),
      ended: Deferred.makeUnsafe<Ending>(),
      asks: new Map()
    }
    const keep = (chunk: Buffer) => {
      lines = [...lines, ...chunk.toString().trimEnd().split("\n")].slice(-linesKept)
    }
    child.stdout?.on("data", keep)
    child.stderr?.on("data", keep)
    child.on("message", (said: Said) => {
      if (said.kind === "ready") Deferred.doneUnsafe(next.ready, Effect.void)
      else next.asks.get(said.id)?.(said)
    })
    // Whoever talks to a process that has just ended hears it from `exit`.
    child.on("error", () => undefined)
    child.on("exit", (status, signal) => {
      Deferred.doneUnsafe(next.ended, Effect.succeed({ status, signal }))
      next.asks.forEach((answer, id) => answer({ kind: "refusal", id, tag: gone.tag, message: gone.message }))
    })
    return next
  }

  const isOver = ({ child }: Run) => child.exitCode !== null || child.signalCode !== null

  const question = (asked: Question): Effect.Effect<unknown, Refused> =>
    Effect.callback((resume) => {
      const present = run
      if (present === undefined || isOver(present)) {
        resume(Effect.fail(gone))
        return
      }
      const id = asks++
      const forget = () => present.asks.delete(id)
      present.asks.set(id, (said) => {
        forget()
        if (said.kind === "answer") resume(Effect.succeed(said.value))
        else if (said.kind === "refusal")
          resume(Effect.fail(new Refused({ tag: said.tag, message: said.message })))
      })
      present.child.send({ id, question: asked }, () => undefined)
      return Effect.sync(forget)
    })

  yield* Effect.addFinalizer(() => Effect.sync(() => run?.child.kill("SIGKILL")))

  const runner: RunnerProcess = {
    name,
    start: (changes = {}) =>
      Effect.suspend(() => {
        const next = launch(changes)
        run = next
        return Effect.raceFirst(
          Deferred.await(next.ready),
          Effect.flatMap(Deferred.await(next.ended), (ending) =>
            Effect.die(
              new Error(`${name} ended before it was ready: ${JSON.stringify(ending)}\n${lines.join("\n")}`)
            )
          )
        )
      }).pipe(
        Effect.timeout("60 seconds"),
        Effect.catchCause((cause) => Effect.die(new Error(`${name} did not start: ${Cause.pretty(cause)}`)))
      ),
    signal: (signal) => Effect.sync(() => run?.child.kill(signal)),
    ended: Effect.suspend(() => Deferred.await(run!.ended)),
    isRunning: () => run !== undefined && !isOver(run),
    ask: (entity, rpc, payload, waitMs = 0) => question({ kind: "ask", entity, rpc, payload, waitMs }),
    owned: (ids) => question({ kind: "owned", ids }) as Effect.Effect<ReadonlyArray<string>, Refused>,
    output: () => `--- ${name}\n${lines.join("\n")}`
  }
  return runner
})
