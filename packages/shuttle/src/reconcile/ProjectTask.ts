/** The fiber of one project: passes on change and by the timer, one after the other, for as long as it is wanted. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import type * as Semaphore from "effect/Semaphore"
import type { RequestError } from "../kubernetes/KubernetesErrors.ts"
import { reconcileErrors, reconcileSeconds } from "../health/ShuttleMetrics.ts"
import { jitteredPause } from "../pacing/JitteredPause.ts"
import { logFailure } from "../pacing/LogFailure.ts"
import type { Settings } from "../ShuttleConfig.ts"
import { type AppOutcome, ofError } from "./AppOutcome.ts"
import type { DesiredProject } from "./DesiredProject.ts"
import type { AppliedRecord } from "./Observation.ts"
import * as ProjectPass from "./ProjectPass.ts"

/** What the last pass did and when the next one is due; times in milliseconds since 1970. */
export interface TaskState {
  readonly startedAtMs: number | null
  readonly durationMs: number | null
  readonly problem: string | null
  readonly nextAtMs: number | null
}

export interface ProjectTaskOptions {
  readonly services: ProjectPass.PassServices
  readonly settings: Pick<
    Settings,
    "driftPassesMax" | "projectRetryFirst" | "projectRetryMax" | "reconcileInterval"
  >
  /** Shared by all projects. */
  readonly slots: Semaphore.Semaphore
  readonly onOutcome: (outcomes: ReadonlyArray<AppOutcome>) => Effect.Effect<void>
}

/** Of a pass that could not even look. */
const unobserved = (desired: DesiredProject, error: RequestError) => ({
  apps: [desired, ...desired.rivals].flatMap(({ apps }) => apps.map((app) => ofError(app, error))),
  driftSteps: 0,
  problem: error.message
})

export class ProjectTask {
  readonly #options: ProjectTaskOptions
  readonly #applied = new Map<string, AppliedRecord>()
  readonly #wake = Latch.makeUnsafe()
  readonly #preempt = Latch.makeUnsafe()
  #desired: DesiredProject
  #failures = 0
  #driftPasses: ReadonlyArray<number> = []
  #state: TaskState = { startedAtMs: null, durationMs: null, problem: null, nextAtMs: null }

  constructor(desired: DesiredProject, options: ProjectTaskOptions) {
    this.#desired = desired
    this.#options = options
  }

  get state(): TaskState {
    return this.#state
  }

  /** Takes a newer wish and interrupts the present pass; the same one again changes nothing. */
  update(desired: DesiredProject): void {
    if (desired.fingerprint === this.#desired.fingerprint) return
    this.#desired = desired
    this.#failures = 0
    Latch.openUnsafe(this.#preempt)
    Latch.openUnsafe(this.#wake)
  }

  /** An observed object changed. */
  wake(): void {
    Latch.openUnsafe(this.#wake)
  }

  /** Never returns. */
  get run(): Effect.Effect<never> {
    return Effect.forever(Effect.flatMap(this.#pass, (pause) => this.#rest(pause)))
  }

  /** Until the pause is over or something happens; `held` pauses end early only for a newer wish. */
  #rest({ isHeld, pause }: { readonly isHeld: boolean; readonly pause: Duration.Duration }) {
    const signal = isHeld ? this.#preempt : this.#wake
    return Effect.timeoutOption(signal.await, pause)
  }

  get #pass() {
    const { settings, slots } = this.#options
    return Effect.gen({ self: this }, function* () {
      Latch.closeUnsafe(this.#wake)
      Latch.closeUnsafe(this.#preempt)
      const startedAtMs = yield* Clock.currentTimeMillis
      const desired = this.#desired
      const run = ProjectPass.run(this.#options.services, desired, this.#applied)
      const ended = yield* Effect.raceFirst(
        slots.withPermit(Effect.result(run)),
        Effect.as(this.#preempt.await, "preempted" as const)
      )
      if (ended === "preempted") return { pause: Duration.zero, isHeld: false }
      const endedAtMs = yield* Clock.currentTimeMillis
      yield* Metric.update(reconcileSeconds, (endedAtMs - startedAtMs) / 1000)
      const { apps, driftSteps, problem } = Result.isSuccess(ended)
        ? ended.success
        : unobserved(desired, ended.failure)
      yield* this.#options.onOutcome(apps)
      this.#noteDrift(endedAtMs, driftSteps)
      const pause = yield* this.#pauseAfter(problem)
      this.#state = {
        startedAtMs,
        durationMs: endedAtMs - startedAtMs,
        problem,
        nextAtMs: endedAtMs + Duration.toMillis(pause)
      }
      const isFought = this.#driftPasses.length > settings.driftPassesMax
      if (isFought) {
        yield* Effect.logWarning("Somebody else keeps writing what is ours; repairing it more slowly", {
          namespace: this.#desired.namespace
        })
      }
      return { pause, isHeld: isFought }
    })
  }

  /** Times of passes that repaired drift, within the last interval. */
  #noteDrift(nowMs: number, driftSteps: number): void {
    const since = nowMs - Duration.toMillis(this.#options.settings.reconcileInterval)
    const recent = this.#driftPasses.filter((at) => at > since)
    this.#driftPasses = driftSteps > 0 ? [...recent, nowMs] : recent
  }

  #pauseAfter(problem: string | null): Effect.Effect<Duration.Duration> {
    const { driftPassesMax, projectRetryFirst, projectRetryMax, reconcileInterval } = this.#options.settings
    const excess = this.#driftPasses.length - driftPassesMax
    if (problem === null) {
      this.#failures = 0
      return excess > 0
        ? jitteredPause(projectRetryFirst, projectRetryMax, excess)
        : jitteredPause(reconcileInterval, reconcileInterval, 1)
    }
    const failuresBefore = this.#failures
    this.#failures += 1
    return Effect.andThen(
      Effect.andThen(
        Metric.update(reconcileErrors, 1),
        logFailure(failuresBefore)("Not as wanted yet", { namespace: this.#desired.namespace, problem })
      ),
      jitteredPause(projectRetryFirst, projectRetryMax, this.#failures)
    )
  }
}
