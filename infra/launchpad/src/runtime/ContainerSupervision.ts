/** Watches one running process: probes, listening sockets, and the two ways in which somebody wants it to end. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ContainerProcess from "./ContainerProcess.ts"
import { realPort, type ProbeTarget } from "./ContainerProbe.ts"
import type { ContainerLoopOptions } from "./ContainerLoop.ts"
import { isContainerReady, type ContainerState } from "./ContainerState.ts"
import { httpAnswer } from "./internal/probeConnection.ts"
import { listeningSockets } from "./internal/listeningSockets.ts"
import { KubeletConfig } from "./KubeletConfig.ts"
import { listenProblem } from "./ListenCheck.ts"
import { OrphanRegister } from "./OrphanRegister.ts"
import type { LifecycleHandler, ProbeSpecification } from "./PodSpecification.ts"
import { probeLoop, type ProbeVerdict } from "./ProbeLoop.ts"

export interface SupervisionOptions extends ContainerLoopOptions {
  readonly process: ContainerProcess.ContainerProcess
  readonly request: ContainerProcess.ProcessRequest
  readonly startedAtMs: number
  readonly state: () => ContainerState
  readonly update: (patch: Partial<ContainerState>) => Effect.Effect<void>
}

/** Kubernetes gives a process this long after SIGTERM even when `preStop` has used up the grace period. */
const minimumGrace = Duration.seconds(2)

/** Output of a command that is kept for messages. */
const outputBytesMax = 10 * 1024

/** A command beside the container's process: same environment, user and directory, ended with the effect. */
const executeBeside = (options: SupervisionOptions) =>
  Effect.fnUntraced(function* (command: ReadonlyArray<string>) {
    const register = yield* OrphanRegister
    const nowMs = yield* Clock.currentTimeMillis
    const parts: Array<Uint8Array> = []
    let size = 0
    const started = yield* Effect.result(
      ContainerProcess.start(
        {
          ...options.request,
          instanceId: `${options.request.instanceId}-exec-${nowMs.toString(16)}-${command.length}`,
          arguments: command,
          shutdownGrace: Duration.zero,
          output: (_stream, chunk) => {
            if (size < outputBytesMax) {
              parts.push(chunk)
              size += chunk.length
            }
          }
        },
        register
      )
    )
    if (started._tag === "Failure") {
      return { exitCode: 126, output: started.failure.message }
    }
    const exit = yield* started.success.exited
    return { exitCode: exit.exitCode, output: Buffer.concat(parts).toString("utf8").trim() }
  }, Effect.scoped)

/** Returns how the process ended, after nothing of it is left. */
export const superviseContainer = Effect.fnUntraced(function* (options: SupervisionOptions) {
  const config = yield* KubeletConfig
  const register = yield* OrphanRegister
  const { container, event, pod, process, state, update } = options
  const execute: ProbeTarget["execute"] = (command) =>
    Effect.provideService(executeBeside(options)(command), OrphanRegister, register)
  const target: ProbeTarget = { container, ports: options.ports, execute }
  const condemned = yield* Deferred.make<{ readonly grace: Duration.Duration }>()
  const told = Object.values(options.ports).find(
    (port) => String(port) === options.request.environment["PORT"]
  )

  const checkListening = Effect.gen(function* () {
    if (told === undefined) {
      return
    }
    const problem = listenProblem(told, listeningSockets(yield* process.members))
    if (problem?.message !== state().listenProblem?.message) {
      yield* update({ listenProblem: problem })
      if (problem !== undefined) {
        yield* event("Warning", problem.reason, problem.message)
      }
    }
  })

  const listenLoop = Effect.gen(function* () {
    const unprobedUntil =
      container.readinessProbe === undefined
        ? options.startedAtMs + Duration.toMillis(config.eagerProbeWindow)
        : 0
    while (true) {
      yield* Effect.sleep(config.listenCheckPeriod)
      const now = yield* Clock.currentTimeMillis
      if (!isContainerReady(state()) || now < unprobedUntil) {
        yield* checkListening
      }
    }
  })

  const loop = (
    kind: "Startup" | "Readiness" | "Liveness",
    probe: ProbeSpecification,
    onVerdict: (verdict: ProbeVerdict) => Effect.Effect<void>
  ) =>
    probeLoop({
      target,
      probe,
      initially: kind === "Liveness",
      eagerPeriod: config.eagerProbePeriod,
      eagerWindow: config.eagerProbeWindow,
      onVerdict,
      onFailure: (output) => event("Warning", "Unhealthy", `${kind} probe failed: ${output}`)
    })

  const condemn = Effect.fnUntraced(function* (kind: string, probe: ProbeSpecification) {
    yield* event("Normal", "Killing", `Container ${container.name} failed ${kind} probe, will be restarted`)
    const seconds = probe.terminationGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds
    yield* Deferred.succeed(condemned, { grace: Duration.seconds(seconds) })
  })

  const readiness = container.readinessProbe
  const watchReadiness =
    readiness === undefined
      ? Effect.andThen(checkListening, update({ probedReady: true }))
      : loop("Readiness", readiness, ({ passing }) =>
          Effect.andThen(checkListening, update({ probedReady: passing }))
        )
  const liveness = container.livenessProbe
  const watchLiveness =
    liveness === undefined
      ? Effect.void
      : loop("Liveness", liveness, ({ passing }) => (passing ? Effect.void : condemn("liveness", liveness)))
  const startup = container.startupProbe
  const waitForStart =
    startup === undefined
      ? Effect.void
      : Effect.gen(function* () {
          const settled = yield* Deferred.make<boolean>()
          const passed = yield* Effect.raceFirst(
            loop("Startup", startup, ({ passing }) => Effect.asVoid(Deferred.succeed(settled, passing))),
            Deferred.await(settled)
          )
          if (passed) {
            yield* update({ started: true })
            return
          }
          yield* condemn("startup", startup)
          return yield* Effect.never
        })

  yield* Effect.forkScoped(
    Effect.andThen(waitForStart, Effect.all([watchReadiness, watchLiveness], { concurrency: "unbounded" }))
  )
  yield* Effect.forkScoped(listenLoop)

  const preStop = (handler: LifecycleHandler): Effect.Effect<unknown> => {
    if (handler.sleep !== undefined) {
      return Effect.sleep(Duration.seconds(handler.sleep.seconds))
    }
    if (handler.exec !== undefined) {
      return execute(handler.exec.command)
    }
    return handler.httpGet === undefined
      ? Effect.void
      : httpAnswer({
          secure: false,
          host: "127.0.0.1",
          port: realPort(target, handler.httpGet.port),
          path: handler.httpGet.path,
          headers: {}
        })
  }

  const end = Effect.fnUntraced(function* (deadlineMs: number) {
    const left = Effect.map(Clock.currentTimeMillis, (now) => Duration.millis(Math.max(0, deadlineMs - now)))
    const granted = yield* left
    const handler = container.lifecycle?.preStop
    if (handler !== undefined && Duration.toMillis(granted) > 0) {
      yield* Effect.raceFirst(Effect.timeoutOption(preStop(handler), granted), process.exited)
    }
    const rest = yield* left
    return yield* process.stop(
      Duration.toMillis(granted) === 0
        ? Duration.zero
        : Duration.max(rest, Duration.min(minimumGrace, granted))
    )
  })

  const exited = Effect.asSome(process.exited)
  const wanted = Effect.raceFirst(
    Effect.map(Deferred.await(options.stop), (order) => order.deadlineMs),
    Effect.gen(function* () {
      const { grace } = yield* Deferred.await(condemned)
      return (yield* Clock.currentTimeMillis) + Duration.toMillis(grace)
    })
  )
  const first = yield* Effect.raceFirst(
    Effect.map(exited, (exit) => ({ exit, deadlineMs: 0 })),
    Effect.map(wanted, (deadlineMs) => ({ exit: Option.none<ContainerProcess.ProcessExit>(), deadlineMs }))
  )
  return Option.isSome(first.exit) ? first.exit.value : yield* end(first.deadlineMs)
})
