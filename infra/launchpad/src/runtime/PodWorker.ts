/**
 * The life of one pod on this node: ports, folders, init containers one after the other, containers together, and at the
 * end the order that keeps requests alive: out of traffic → preStop → SIGTERM → SIGKILL → object removed.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import { canonicalJson } from "../controllers/objects/CanonicalJson.ts"
import { portMapping } from "../controllers/objects/PodObject.ts"
import { podAddress, type EnvironmentSources } from "./ContainerEnvironment.ts"
import { containerLoop, type PodEvent, type StopOrder } from "./ContainerLoop.ts"
import type { ContainerState } from "./ContainerState.ts"
import { KubeletConfig } from "./KubeletConfig.ts"
import * as PodFolders from "./PodFolders.ts"
import { withStatus, type ContainerSpecification, type PodSpecification } from "./PodSpecification.ts"
import { podStatus } from "./PodStatus.ts"
import { PortAllocator } from "./PortAllocator.ts"
import { recoveredState } from "./RecoveredState.ts"
import { TrafficDrain } from "./TrafficDrain.ts"
import { UserIds } from "./UserIds.ts"

/** What a worker needs of the cluster; none of it fails, the caller repeats what must not be lost. */
export interface PodHost {
  /** Container port → real port, into the pod's annotation. */
  readonly recordPorts: (ports: Readonly<Record<string, number>>) => Effect.Effect<void>
  readonly writeStatus: (status: Readonly<Record<string, unknown>>) => Effect.Effect<void>
  readonly sources: (container: ContainerSpecification) => Effect.Effect<EnvironmentSources>
  readonly event: PodEvent
  /** The pod is over: removes its object for good. */
  readonly removeObject: Effect.Effect<void>
}

export interface PodWorkerOptions {
  readonly pod: PodSpecification
  readonly host: PodHost
  /** Completed when the pod is to be deleted; `graceSeconds` 0 means at once. */
  readonly terminate: Deferred.Deferred<{ readonly graceSeconds: number }>
}

const isOver = (pod: PodSpecification): boolean =>
  pod.status.phase === "Succeeded" || pod.status.phase === "Failed"

/** Returns after the pod's object was removed. Interrupting it ends all processes and leaves the object. */
export const podWorker = Effect.fn("PodWorker.run")(function* (options: PodWorkerOptions) {
  const config = yield* KubeletConfig
  const allocator = yield* PortAllocator
  const users = yield* UserIds
  const traffic = yield* TrafficDrain
  const { host, pod, terminate } = options
  const startedAtMs = yield* Clock.currentTimeMillis
  const stop = yield* Deferred.make<StopOrder>()
  const dirty = yield* Queue.sliding<void>(1)

  const recover = (containers: ReadonlyArray<ContainerSpecification>, kind: "init" | "app") =>
    new Map(
      containers.map((container) => [container.name, recoveredState(pod, container, kind, startedAtMs)])
    )
  const initStates = recover(pod.spec.initContainers, "init")
  const appStates = recover(pod.spec.containers, "app")
  let failure: { readonly reason: string; readonly message: string } | undefined
  let written: PodSpecification = pod
  let writtenText = ""

  const writeStatus = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const status = podStatus({
      pod: written,
      initContainers: [...initStates.values()],
      containers: [...appStates.values()],
      failure,
      nowMs
    })
    const text = canonicalJson(status)
    if (text !== writtenText) {
      yield* host.writeStatus(status)
      writtenText = text
      written = yield* withStatus(written, status)
    }
  })
  const publishTo =
    (states: Map<string, ContainerState>) =>
    (state: ContainerState): Effect.Effect<void> =>
      Effect.suspend(() => {
        states.set(state.name, state)
        return Effect.asVoid(Queue.offer(dirty, undefined))
      })

  const allocatePorts = Effect.gen(function* () {
    const before = portMapping(pod.metadata)
    const declared = [...pod.spec.initContainers, ...pod.spec.containers]
      .flatMap((container) => container.ports)
      .filter((port) => port.protocol === "TCP")
      .map((port) => String(port.containerPort))
    const ports: Record<string, number> = {}
    for (const name of new Set(declared)) {
      ports[name] = yield* Effect.acquireRelease(allocator.allocate(before[name]), (port) =>
        allocator.release(port)
      )
    }
    if (canonicalJson(ports) !== canonicalJson(before)) {
      yield* host.recordPorts(ports)
    }
    return ports
  })

  const run = Effect.fnUntraced(function* (ports: Readonly<Record<string, number>>) {
    const user = yield* users.ofPod({ namespace: pod.metadata.namespace, labels: pod.metadata.labels })
    const folders = yield* PodFolders.create(pod, user)
    const base = {
      PATH: config.path,
      HOME: folders.home,
      TMPDIR: folders.temporary,
      LANG: "C.UTF-8",
      HOSTNAME: pod.metadata.name
    }
    const loop = (
      container: ContainerSpecification,
      states: Map<string, ContainerState>,
      isInit: boolean
    ) => {
      const initial = states.get(container.name)
      return initial === undefined || (initial.state._tag === "Terminated" && !isInit)
        ? Effect.succeed(initial)
        : containerLoop({
            pod,
            container,
            initial,
            isInit,
            ports,
            user,
            base,
            sources: host.sources(container),
            stop,
            publish: publishTo(states),
            event: host.event
          })
    }
    for (const container of pod.spec.initContainers) {
      const last = yield* loop(container, initStates, true)
      if (last?.state._tag !== "Terminated" || last.state.run.exitCode !== 0) {
        return
      }
    }
    yield* Effect.forEach(pod.spec.containers, (container) => loop(container, appStates, false), {
      concurrency: "unbounded",
      discard: true
    })
  })

  const fail = (error: { readonly _tag: string; readonly message: string }) =>
    Effect.gen(function* () {
      failure = { reason: error._tag, message: error.message }
      yield* host.event("Warning", "Failed", error.message)
      yield* Queue.offer(dirty, undefined)
    })

  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Queue.take(dirty), writeStatus)))
  if (!isOver(pod)) {
    yield* writeStatus
  }
  const ports = isOver(pod)
    ? {}
    : yield* allocatePorts.pipe(Effect.catch((error) => Effect.as(fail(error), undefined)))
  const endpoints = Object.values(ports ?? {}).map((port) => ({ address: podAddress, port }))
  const work = yield* Effect.forkScoped(
    isOver(pod) || ports === undefined
      ? Effect.void
      : run(ports).pipe(
          Effect.catch(fail),
          Effect.tapDefect((defect) => Effect.logError(`pod ${pod.metadata.name}`, defect))
        )
  )

  const { graceSeconds } = yield* Deferred.await(terminate)
  const deadlineMs = (yield* Clock.currentTimeMillis) + graceSeconds * 1000
  const drainMax = Duration.min(config.drainMax, Duration.seconds(graceSeconds / 2))
  yield* Effect.timeoutOption(traffic.withdraw(endpoints), drainMax)
  for (const container of appStates.values()) {
    if (container.state._tag === "Running") {
      yield* host.event("Normal", "Killing", `Stopping container ${container.name}`)
    }
  }
  yield* Deferred.succeed(stop, { deadlineMs })
  yield* Fiber.await(work)
  yield* writeStatus
  yield* traffic.release(endpoints)
  yield* host.removeObject
  yield* PodFolders.remove(pod)
}, Effect.scoped)
