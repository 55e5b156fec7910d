/**
 * The life of one container: image → environment → process → probes → exit → back-off → again, until its pod is ended or
 * its restart policy is satisfied. One process at a time (INV-RUN-4); every change of state is published.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as ContainerProcess from "./ContainerProcess.ts"
import { containerCommand } from "./ContainerCommand.ts"
import { resolveEnvironment, type EnvironmentSources, type Variables } from "./ContainerEnvironment.ts"
import { ContainerLogs } from "./ContainerLogs.ts"
import { superviseContainer } from "./ContainerSupervision.ts"
import { ContainerUsage } from "./ContainerUsage.ts"
import type { ContainerState, TerminatedRun } from "./ContainerState.ts"
import { countCrash, crashDelay } from "./CrashBackOff.ts"
import { ImageStore, type PreparedImage } from "./ImageStore.ts"
import { KubeletConfig } from "./KubeletConfig.ts"
import { OrphanRegister } from "./OrphanRegister.ts"
import type { ContainerSpecification, PodSpecification } from "./PodSpecification.ts"
import type { ProcessUser } from "./UserIds.ts"

/** The pod is to end: what still may happen until `deadlineMs`, in milliseconds since the epoch. */
export interface StopOrder {
  readonly deadlineMs: number
}

export type PodEvent = (type: "Normal" | "Warning", reason: string, message: string) => Effect.Effect<void>

export interface ContainerLoopOptions {
  readonly pod: PodSpecification
  readonly container: ContainerSpecification
  readonly initial: ContainerState
  /** Ends after the first success, whatever the restart policy says of success. */
  readonly isInit: boolean
  readonly ports: Readonly<Record<string, number>>
  readonly user: ProcessUser | undefined
  /** PATH, HOME, TMPDIR and the like. */
  readonly base: Variables
  readonly sources: Effect.Effect<EnvironmentSources>
  readonly stop: Deferred.Deferred<StopOrder>
  readonly publish: (state: ContainerState) => Effect.Effect<void>
  readonly event: PodEvent
}

/** Exit code of a container whose process could not be started (as containerd's). */
const startErrorCode = 128

const instanceIdentity = Effect.map(
  Effect.all([Random.nextIntBetween(0, 2 ** 48), Clock.currentTimeMillis]),
  ([random, now]) => `${now.toString(16)}-${random.toString(16).padStart(12, "0")}`
)

/** Runs until the container is over; returns its last state. Interrupting it ends the process first. */
export const containerLoop = Effect.fn("ContainerLoop.run")(function* (options: ContainerLoopOptions) {
  const config = yield* KubeletConfig
  const images = yield* ImageStore
  const logs = yield* ContainerLogs
  const register = yield* OrphanRegister
  const usage = yield* ContainerUsage
  const { container, pod, stop } = options
  let current = options.initial
  let crashes = current.restartCount > 0 ? 1 : 0

  const update = (patch: Partial<ContainerState>) =>
    Effect.suspend(() => {
      current = { ...current, ...patch }
      return options.publish(current)
    })
  const waiting = (reason: string, message?: string) =>
    update({ state: { _tag: "Waiting", reason, message } })

  /** `undefined` when the pod was told to stop meanwhile. */
  const unlessStopped = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A | undefined, E, R> =>
    Effect.raceFirst(effect, Effect.as(Deferred.await(stop), undefined))

  const pull = Effect.gen(function* () {
    let delay = config.imageBackOffFirst
    while (true) {
      const result = yield* Effect.result(images.prepare(container.image, options.user))
      if (result._tag === "Success") {
        return result.success
      }
      yield* options.event("Warning", "Failed", result.failure.message)
      yield* waiting("ErrImagePull", result.failure.message)
      yield* waiting(
        "ImagePullBackOff",
        `Back-off pulling image "${container.image}": ${result.failure.message}`
      )
      yield* Effect.sleep(delay)
      delay = Duration.min(Duration.times(delay, 2), config.imageBackOffMax)
    }
  })

  const configure = Effect.fnUntraced(function* (image: PreparedImage) {
    while (true) {
      const resolved = resolveEnvironment({
        pod,
        container,
        sources: yield* options.sources,
        nodeName: config.nodeName,
        base: options.base,
        image: image.config.environment,
        ports: options.ports
      })
      if (resolved._tag === "Resolved") {
        return resolved.variables
      }
      yield* options.event("Warning", "Failed", `Error: ${resolved.problem}`)
      yield* waiting("CreateContainerConfigError", resolved.problem)
      yield* Effect.sleep(config.configRetry)
    }
  })

  const startError = (message: string, nowMs: number): TerminatedRun => ({
    exitCode: startErrorCode,
    signal: undefined,
    reason: "StartError",
    message,
    startedAtMs: undefined,
    finishedAtMs: nowMs,
    instanceId: ""
  })

  const execute = Effect.fnUntraced(function* (image: PreparedImage, variables: Variables) {
    const command = containerCommand(container, image, variables)
    const nowMs = yield* Clock.currentTimeMillis
    if (command === undefined) {
      return startError("no command specified", nowMs)
    }
    const instanceId = yield* instanceIdentity
    const log = yield* logs.open({
      namespace: pod.metadata.namespace,
      pod: pod.metadata.name,
      uid: pod.metadata.uid,
      container: container.name,
      restartCount: current.restartCount
    })
    const request = {
      instanceId,
      arguments: command.arguments,
      directory: command.directory,
      environment: variables,
      user: options.user,
      output: log.append,
      shutdownGrace: config.shutdownGrace,
      outputSettle: config.outputSettle
    }
    const started = yield* Effect.result(ContainerProcess.start(request, register))
    if (started._tag === "Failure") {
      log.append("stderr", new TextEncoder().encode(`${started.failure.message}\n`))
      yield* options.event("Warning", "Failed", `Error: ${started.failure.message}`)
      return startError(started.failure.message, nowMs)
    }
    const startedAtMs = yield* Clock.currentTimeMillis
    const { namespace, name } = pod.metadata
    yield* usage.track({ namespace, pod: name, container: container.name }, started.success.pid)
    yield* update({
      state: { _tag: "Running", startedAtMs, instanceId },
      started: container.startupProbe === undefined,
      probedReady: container.startupProbe === undefined && container.readinessProbe === undefined,
      listenProblem: undefined
    })
    yield* options.event("Normal", "Started", `Started container ${container.name}`)
    const exit = yield* superviseContainer({
      ...options,
      process: started.success,
      request,
      startedAtMs,
      state: () => current,
      update
    })
    const finishedAtMs = yield* Clock.currentTimeMillis
    return {
      exitCode: exit.exitCode,
      signal: exit.exitCode > 128 && exit.signal !== undefined ? exit.exitCode - 128 : undefined,
      reason: exit.exitCode === 0 ? "Completed" : "Error",
      message: undefined,
      startedAtMs,
      finishedAtMs,
      instanceId
    }
  })

  const runOnce = Effect.gen(function* () {
    const image = yield* unlessStopped(pull)
    const variables = image === undefined ? undefined : yield* unlessStopped(configure(image))
    return image === undefined || variables === undefined
      ? undefined
      : yield* Effect.scoped(execute(image, variables))
  })

  const ended = (run: TerminatedRun) =>
    update({
      state: { _tag: "Terminated", run },
      started: false,
      probedReady: false,
      listenProblem: undefined
    })

  const isOver = (run: TerminatedRun): boolean =>
    (run.exitCode === 0 && (options.isInit || pod.spec.restartPolicy === "OnFailure")) ||
    pod.spec.restartPolicy === "Never"

  const life = Effect.gen(function* () {
    while (!(yield* Deferred.isDone(stop))) {
      const run = yield* runOnce
      if (run === undefined) {
        break
      }
      yield* ended(run)
      if ((yield* Deferred.isDone(stop)) || isOver(run)) {
        break
      }
      crashes = countCrash(config, crashes, run.finishedAtMs - (run.startedAtMs ?? run.finishedAtMs))
      const delay = crashDelay(config, crashes)
      if (Duration.toMillis(delay) > 0) {
        const who = `container=${container.name} pod=${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`
        const message = `back-off ${Duration.format(delay)} restarting failed ${who}`
        yield* update({ state: { _tag: "Waiting", reason: "CrashLoopBackOff", message }, last: run })
        yield* options.event(
          "Warning",
          "BackOff",
          `Back-off restarting failed container ${container.name} in pod ${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`
        )
        yield* unlessStopped(Effect.sleep(delay))
        if (yield* Deferred.isDone(stop)) {
          break
        }
      }
      yield* update({ last: run, restartCount: current.restartCount + 1 })
    }
    return current
  })
  return yield* life
})
