/**
 * The node agent: one worker per pod assigned to this node. Closing the layer's scope ends every process within the
 * shutdown grace and leaves the pods' objects, which the next start takes up in place.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { withField } from "../controllers/objects/ObjectFields.ts"
import { portsAnnotation } from "../controllers/objects/PodObject.ts"
import { EventRecorder } from "../controllers/EventRecorder.ts"
import type { ApiStatus } from "../kubernetes/ApiStatus.ts"
import { ClusterObjects, type ObjectEvent } from "../kubernetes/ClusterObjects.ts"
import { KubeletConfig } from "./KubeletConfig.ts"
import * as NodeRegistration from "./NodeRegistration.ts"
import { environmentSources } from "./PodEnvironmentObjects.ts"
import { PodSpecification } from "./PodSpecification.ts"
import { podWorker, type PodHost } from "./PodWorker.ts"

const decodePod = Schema.decodeUnknownEffect(PodSpecification)

interface Assignment {
  readonly terminate: Deferred.Deferred<{ readonly graceSeconds: number }>
}

const hostOf = Effect.fnUntraced(function* (pod: PodSpecification) {
  const objects = yield* ClusterObjects
  const recorder = yield* EventRecorder
  const { configRetry } = yield* KubeletConfig
  const { name, namespace, uid } = pod.metadata
  const key = { resource: "pods", namespace, name }

  /** An object of that name but another uid is another pod: then there is nothing left to write. */
  const lasting = (what: string, effect: Effect.Effect<unknown, ApiStatus>): Effect.Effect<void> =>
    effect.pipe(
      Effect.tapError((status) => Effect.logWarning(`pod ${namespace}/${name}: ${what} failed`, status)),
      Effect.retry({
        while: (status) => status.reason !== "Conflict",
        schedule: Schedule.spaced(configRetry)
      }),
      Effect.ignore
    )

  const host: PodHost = {
    recordPorts: (ports) =>
      lasting(
        "writing ports",
        objects.modify(key, (object) =>
          object.metadata.uid === uid
            ? withField(object, ["metadata", "annotations", portsAnnotation], JSON.stringify(ports))
            : undefined
        )
      ),
    writeStatus: (status) =>
      lasting(
        "writing status",
        objects.modify(
          key,
          (object) => (object.metadata.uid === uid ? withField(object, ["status"], status) : undefined),
          { subresource: "status" }
        )
      ),
    sources: (container) =>
      Effect.provideService(environmentSources(namespace, container), ClusterObjects, objects),
    event: (type, reason, message) =>
      recorder.record({
        about: { apiVersion: "v1", kind: "Pod", namespace, name, uid },
        type,
        reason,
        message,
        component: "kubelet"
      }),
    removeObject: lasting("removing", objects.remove(key, { uid, gracePeriodSeconds: 0 }))
  }
  return host
})

const start = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  const { nodeName } = yield* KubeletConfig
  const workers = yield* FiberMap.make<string>()
  const assignments = new Map<string, Assignment>()
  /** Pods that are ended here while somebody's finalizer still holds their object. */
  const ended = new Set<string>()

  const assign = Effect.fnUntraced(function* (pod: PodSpecification) {
    const uid = pod.metadata.uid
    const known = assignments.get(uid)
    if (known !== undefined) {
      return known
    }
    const assignment: Assignment = { terminate: yield* Deferred.make<{ readonly graceSeconds: number }>() }
    assignments.set(uid, assignment)
    const work = podWorker({ pod, host: yield* hostOf(pod), terminate: assignment.terminate }).pipe(
      Effect.tap(Effect.sync(() => ended.add(uid))),
      Effect.ensuring(Effect.sync(() => assignments.delete(uid)))
    )
    yield* FiberMap.run(workers, uid, work)
    return assignment
  })

  const handle = Effect.fnUntraced(function* (event: ObjectEvent) {
    const pod = yield* decodePod(event.object)
    const { metadata, spec } = pod
    if (spec.nodeName !== nodeName) {
      return
    }
    if (event.type === "DELETED") {
      ended.delete(metadata.uid)
      const known = Option.fromUndefinedOr(assignments.get(metadata.uid))
      if (Option.isSome(known)) {
        yield* Deferred.succeed(known.value.terminate, { graceSeconds: 0 })
      }
      return
    }
    if (ended.has(metadata.uid)) {
      return
    }
    const { terminate } = yield* assign(pod)
    if (metadata.deletionTimestamp !== undefined) {
      const graceSeconds = metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds
      yield* Deferred.succeed(terminate, { graceSeconds })
    }
  })

  const watch = Stream.runForEach(objects.changes("pods"), (event) =>
    Effect.catch(handle(event), (error) =>
      Effect.logError(`pod ${event.object.metadata.name} cannot be understood`, error)
    )
  )
  yield* NodeRegistration.register()
  yield* Effect.forkScoped(watch)
})

/** Needs the other services of this folder beside `ClusterObjects`, `EventRecorder`, `ImageStore` and `TrafficDrain`. */
export const layerNoDeps = Layer.effectDiscard(start)
