/**
 * Time, chance and everything that can run. Nothing here knows Starbase: README beside this file has the theory.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import { type Chance, chanceOf, hashOf } from "./Chance.ts"

type Task = () => void

/** Something that happens at a time, unless it is cancelled or its process has ended. */
interface Timer {
  readonly at: number
  readonly order: number
  readonly process: Process
  run: Task | undefined
}

/** Tasks of one fiber's dispatcher: by priority, then in order. */
interface Lane {
  readonly tasks: Array<{ readonly priority: number; readonly run: Task }>
}

const isBefore = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order)

/** A binary heap, soonest first. */
class Timers {
  private readonly heap: Array<Timer> = []

  get soonest(): Timer | undefined {
    return this.heap[0]
  }

  add(timer: Timer): void {
    const { heap } = this
    let index = heap.push(timer) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(timer, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = timer
  }

  take(): Timer | undefined {
    const { heap } = this
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let index = 0
    while (true) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
    return first
  }
}

/** What the world may stop: fibers that share a scheduler, a clock and a fate. */
export class Process {
  state: "running" | "frozen" | "ended" = "running"
  /** Its clock tells this much more than the world's; how long a sleep lasts is not affected. */
  clockSkewMs = 0
  readonly chance: Chance
  /** Lanes with tasks. */
  readonly ready: Array<Lane> = []
  private readonly inbox: Lane = { tasks: [] }
  private readonly onEnd = new Set<Task>()
  readonly world: World
  readonly name: string
  /** What every fiber of it runs with. */
  readonly context: Context.Context<never>

  constructor(world: World, name: string) {
    this.world = world
    this.name = name
    this.chance = world.chance.fork(name)
    this.context = contextOf(this)
  }

  /** Runs when the world picks it; never, when the process has ended by then. */
  post(run: Task): void {
    this.enqueue(this.inbox, run, 0)
  }

  enqueue(lane: Lane, run: Task, priority: number): void {
    if (this.state === "ended") return
    const { tasks } = lane
    let index = tasks.length
    while (index > 0 && tasks[index - 1]!.priority > priority) index--
    tasks.splice(index, 0, { priority, run })
    if (tasks.length === 1) this.ready.push(lane)
  }

  /** Takes one task, of a lane by chance. */
  takeTask(): Task {
    const index = this.world.chance.below(this.ready.length)
    const lane = this.ready[index]!
    const { run } = lane.tasks.shift()!
    if (lane.tasks.length === 0) {
      this.ready[index] = this.ready.at(-1)!
      this.ready.pop()
    }
    return run
  }

  /** @returns takes it back */
  after(ms: number, run: Task): Task {
    return this.world.schedule(ms, this, run)
  }

  freeze(): void {
    if (this.state === "running") this.state = "frozen"
  }

  thaw(): void {
    if (this.state === "frozen") this.state = "running"
  }

  /** Nothing of it ever runs again, its finalizers neither. */
  kill(): void {
    this.state = "ended"
    this.ready.length = 0
    const watchers = [...this.onEnd]
    this.onEnd.clear()
    watchers.forEach((run) => run())
  }

  /** @returns stops watching */
  whenEnded(run: Task): Task {
    this.onEnd.add(run)
    return () => this.onEnd.delete(run)
  }

  /**
   * Forks in this process; the world decides when.
   *
   * @returns interrupts it
   */
  fork<A, E>(effect: Effect.Effect<A, E>): Task {
    let fiber: Fiber.Fiber<A, E> | undefined
    this.post(() => {
      fiber = Effect.runForkWith(this.context)(effect)
    })
    return () => this.post(() => fiber?.interruptUnsafe())
  }

  /** A fiber of this process waits for something that the world does. `start` runs at once; its answer is a task. */
  wait<A, E>(start: (answer: (result: Effect.Effect<A, E>) => void) => Task | void): Effect.Effect<A, E> {
    return Effect.callback<A, E>((resume) => {
      const cancel = start((result) => this.post(() => resume(result)))
      return cancel === undefined ? undefined : Effect.sync(cancel)
    })
  }
}

/** How many operations a fiber may do before another one gets its turn. */
const operationsMax = 512

const schedulerOf = (process: Process): Scheduler.Scheduler => ({
  executionMode: "sync",
  shouldYield: (fiber) => fiber.currentOpCount >= operationsMax,
  makeDispatcher: () => {
    const lane: Lane = { tasks: [] }
    return {
      scheduleTask: (run, priority) => process.enqueue(lane, run, priority),
      flush: () => {
        throw new Error("a simulated process runs when the world says so")
      }
    }
  }
})

const clockOf = (process: Process): Clock.Clock => {
  const millis = () => Math.floor(process.world.nowMs + process.clockSkewMs)
  const nanos = () => BigInt(Math.floor(process.world.nowMs * 1_000)) * 1_000n
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) => {
      const ms = Duration.toMillis(duration)
      if (!Number.isFinite(ms)) return Effect.never
      return process.wait<void, never>((answer) => process.after(ms, () => answer(Effect.void)))
    }
  }
}

const loggerOf = (process: Process): Logger.Logger<unknown, void> =>
  Logger.make(({ logLevel, message }) => {
    const text = (Array.isArray(message) ? message : [message]).map((part) =>
      typeof part === "string" ? part : JSON.stringify(part)
    )
    process.world.note(process.name, `${logLevel.toLowerCase()}: ${text.join(" ").slice(0, 300)}`)
  })

const contextOf = (process: Process): Context.Context<never> =>
  Context.make(Scheduler.Scheduler, schedulerOf(process)).pipe(
    Context.add(Clock.Clock, clockOf(process)),
    Context.add(Random.Random, {
      nextDoubleUnsafe: () => process.chance.next(),
      nextIntUnsafe: () =>
        Math.floor(process.chance.between(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
    }),
    Context.add(References.TracerEnabled, false),
    Context.add(References.MinimumLogLevel, "Warn"),
    Context.add(Logger.CurrentLoggers, new Set([loggerOf(process)]))
  )

export interface Step {
  readonly atMs: number
  readonly who: string
  readonly what: string
}

export class World {
  /** Any fixed moment will do. */
  nowMs = Date.UTC(2026, 0, 1)
  readonly startMs = this.nowMs
  readonly chance: Chance
  readonly trace: Array<Step> = []
  /** Of everything that was noted, in order. */
  traceHash = 0
  tasksRun = 0
  readonly processes: Array<Process> = []
  private readonly timers = new Timers()
  private order = 0
  readonly seed: number

  constructor(seed: number) {
    this.seed = seed
    this.chance = chanceOf(seed)
  }

  process(name: string): Process {
    const process = new Process(this, name)
    this.processes.push(process)
    return process
  }

  schedule(ms: number, process: Process, run: Task): Task {
    const timer: Timer = { at: this.nowMs + Math.max(0, ms), order: this.order++, process, run }
    this.timers.add(timer)
    return () => {
      timer.run = undefined
    }
  }

  note(who: string, told: string): void {
    // Fibers are numbered over the whole life of the process that simulates.
    const what = told.replaceAll(/Interrupt\(\d+\)/g, "Interrupt")
    this.trace.push({ atMs: this.nowMs - this.startMs, who, what })
    this.traceHash = hashOf(`${this.nowMs} ${who} ${what}`, this.traceHash)
  }

  /** Runs whatever can run, then lets time pass, until `isOver` or the time has come. */
  runUntil(untilMs: number, isOver: () => boolean = () => false): void {
    while (true) {
      this.runReady()
      if (isOver()) return
      const next = this.timers.soonest
      if (next === undefined || next.at > untilMs) {
        this.nowMs = untilMs
        return
      }
      this.nowMs = Math.max(this.nowMs, next.at)
      while (this.timers.soonest !== undefined && this.timers.soonest.at <= this.nowMs) {
        const { process, run } = this.timers.take()!
        if (run !== undefined) process.post(run)
      }
    }
  }

  private runReady(): void {
    while (true) {
      let able = 0
      let chosen: Process | undefined
      for (const process of this.processes) {
        if (process.state !== "running" || process.ready.length === 0) continue
        able++
        if (this.chance.below(able) === 0) chosen = process
      }
      if (chosen === undefined) return
      this.tasksRun++
      chosen.takeTask()()
    }
  }
}
