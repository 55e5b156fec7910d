/** `kubectl logs` from the runtime's log files. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { ApiStatus } from "../kubernetes/ApiStatus.ts"
import { ClusterObjects } from "../kubernetes/ClusterObjects.ts"
import { PodLogs, type PodLogKey, type PodLogOptions } from "../kubernetes/PodLogs.ts"
import { ContainerLogs, type LogKey } from "./ContainerLogs.ts"
import { PodSpecification } from "./PodSpecification.ts"

const defaultContainer = "kubectl.kubernetes.io/default-container"

const badRequest = (text: string) => new ApiStatus({ code: 400, reason: "BadRequest", text })

const decodePod = Schema.decodeUnknownEffect(PodSpecification)

const containerName = (pod: PodSpecification, asked: string | undefined): string | undefined => {
  const names = [...pod.spec.containers, ...pod.spec.initContainers].map((container) => container.name)
  if (asked !== undefined) {
    return names.includes(asked) ? asked : undefined
  }
  const marked = pod.metadata.annotations[defaultContainer]
  return marked !== undefined && names.includes(marked) ? marked : names[0]
}

const make = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  const logs = yield* ContainerLogs

  const locate = Effect.fn("PodLogs.locate")(function* (key: PodLogKey, previous: boolean) {
    const object = yield* objects.get({ resource: "pods", namespace: key.namespace, name: key.name })
    if (Option.isNone(object)) {
      return yield* new ApiStatus({
        code: 404,
        reason: "NotFound",
        text: `pods "${key.name}" not found`,
        details: { name: key.name, kind: "pods" }
      })
    }
    const pod = yield* Effect.orDie(decodePod(object.value))
    const name = containerName(pod, key.container)
    if (name === undefined) {
      return yield* badRequest(`container ${key.container ?? ""} is not valid for pod ${key.name}`)
    }
    const status = [...pod.status.containerStatuses, ...pod.status.initContainerStatuses].find(
      (one) => one.name === name
    )
    const count = status?.restartCount ?? 0
    const runs = [count, count - 1].filter((run) => run >= 0)
    const waiting = status?.state.running === undefined && status?.state.terminated === undefined
    const wanted = previous && !waiting ? runs.slice(1) : runs
    for (const restartCount of wanted) {
      const log: LogKey = {
        namespace: key.namespace,
        pod: key.name,
        uid: pod.metadata.uid,
        container: name,
        restartCount
      }
      if (yield* logs.exists(log)) {
        return log
      }
    }
    return yield* previous
      ? badRequest(`previous terminated container "${name}" in pod "${key.name}" not found`)
      : badRequest(`container "${name}" in pod "${key.name}" is waiting to start: ContainerCreating`)
  })

  const stream = (key: PodLogKey, options: PodLogOptions): Stream.Stream<Uint8Array, ApiStatus> =>
    Stream.unwrap(
      Effect.map(locate(key, options.previous), (log) =>
        logs
          .read(log, options)
          .pipe(
            Stream.mapError(
              (error) => new ApiStatus({ code: 500, reason: "InternalError", text: error.message })
            )
          )
      )
    )

  return PodLogs.of({ stream })
})

export const layerNoDeps = Layer.effect(PodLogs, make)
