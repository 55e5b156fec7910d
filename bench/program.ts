/**
 * A program of a benchmark in a process of its own, asked over Node's channel between parent and child. It ends with the
 * benchmark, whatever ends that: a child whose channel closes stops what it runs and exits.
 */
import { type ChildProcess, fork } from "node:child_process"

interface Ask {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}

type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly problem: string }

/** How long a program may take to stop by itself. */
const stopMs = 20_000

export interface Program {
  readonly child: ChildProcess
  readonly pid: number
  readonly ask: <A>(name: string, argument?: unknown) => Promise<A>
  /** Closes the channel and waits for the end. */
  readonly stop: () => Promise<void>
}

/** Programs that run now; a benchmark that ends early stops them all. */
const running = new Set<Program>()

export const stopAll = async (): Promise<void> => {
  for (const program of [...running].toReversed()) await program.stop()
}

/**
 * Starts a program and waits until it says that it is ready.
 *
 * @param nodeFlags e.g. `--cpu-prof`; those of `BENCH_NODE_FLAGS` go to every program
 */
export const start = async (
  file: string,
  words: ReadonlyArray<string> = [],
  nodeFlags: ReadonlyArray<string> = []
): Promise<Program> => {
  const given = (process.env["BENCH_NODE_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "")
  const child = fork(file, [...words], {
    execArgv: [...given, ...nodeFlags],
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (problem: Error) => void }>()
  let asked = 0
  let hasEnded = false
  const ended = new Promise<void>((end) => {
    // Not "close": the channel that this side has closed keeps that from coming.
    child.once("exit", (code, signal) => {
      hasEnded = true
      for (const { reject } of waiting.values()) {
        reject(new Error(`${file} ended (${signal ?? code}) before it answered`))
      }
      waiting.clear()
      running.delete(program)
      end()
    })
  })
  child.on("message", (answer: Answer) => {
    const asker = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ("problem" in answer) asker?.reject(new Error(answer.problem))
    else asker?.resolve(answer.value)
  })
  const answerTo = (id: number) =>
    new Promise<unknown>((resolve, reject) => {
      if (hasEnded) reject(new Error(`${file} has ended`))
      else waiting.set(id, { resolve, reject })
    })
  const program: Program = {
    child,
    pid: child.pid ?? 0,
    ask: (name, argument) => {
      const id = ++asked
      const answer = answerTo(id)
      if (child.connected) child.send({ id, name, argument } satisfies Ask)
      return answer as Promise<never>
    },
    stop: async () => {
      if (child.connected) child.disconnect()
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMs)
      await ended
      clearTimeout(timer)
    }
  }
  running.add(program)
  await answerTo(0)
  return program
}

/**
 * The child's side: answers what it is asked until the channel closes.
 *
 * @param stop ends what the program runs
 */
export const serve = (
  handlers: Readonly<Record<string, (argument: never) => unknown>>,
  stop: () => Promise<void> = async () => {}
): void => {
  const answer = (message: Answer) => {
    if (process.connected) process.send?.(message)
  }
  process.on("message", (ask: Ask) => {
    const handler = handlers[ask.name]
    Promise.resolve()
      .then(() => {
        if (handler === undefined) throw new Error(`no "${ask.name}" here`)
        return handler(ask.argument as never)
      })
      .then(
        (value) => answer({ id: ask.id, value }),
        (problem: unknown) =>
          answer({ id: ask.id, problem: problem instanceof Error ? (problem.stack ?? "") : String(problem) })
      )
  })
  process.once("disconnect", () => {
    void stop().finally(() => process.exit(0))
  })
  // Ctrl-C and the like reach the whole group: the parent closes the channel in its own time.
  process.on("SIGINT", () => {}).on("SIGTERM", () => {})
  answer({ id: 0, value: undefined })
}

/** Runs a benchmark: whatever happens, everything that it started is stopped. */
export const main = async (benchmark: () => Promise<void>): Promise<void> => {
  const interrupt = () => {
    void stopAll().finally(() => process.exit(130))
  }
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt)
  try {
    await benchmark()
  } finally {
    await stopAll()
  }
}
