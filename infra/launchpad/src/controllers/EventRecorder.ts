/**
 * Events about objects, as `kubectl describe` shows them. Equal events (same object, reason, message, source) are
 * counted in one object. Recording never delays or fails the caller: an event is a hint, the state is in the object.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import { ClusterObjects, type KubernetesObject } from "../kubernetes/ClusterObjects.ts"
import { ControllersConfig } from "./ControllersConfig.ts"
import { fromTimestamp, toTimestamp } from "./objects/Timestamp.ts"
import { withField } from "./objects/ObjectFields.ts"

export interface ObjectReference {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export interface ObjectHappening {
  readonly about: ObjectReference
  readonly type: "Normal" | "Warning"
  /** One word, e.g. `ScalingReplicaSet`. */
  readonly reason: string
  readonly message: string
  /** `source.component`, e.g. `deployment-controller`. */
  readonly component: string
}

export class EventRecorder extends Context.Service<
  EventRecorder,
  { readonly record: (happening: ObjectHappening) => Effect.Effect<void> }
>()("@starform/launchpad/controllers/EventRecorder") {}

interface Pending {
  readonly happening: ObjectHappening
  readonly atMs: number
}

const seriesKey = ({ about, component, message, reason, type }: ObjectHappening): string =>
  JSON.stringify([about.uid, type, reason, message, component])

const eventObject = (pending: Pending, name: string): Readonly<Record<string, unknown>> => {
  const { about, component, message, reason, type } = pending.happening
  const time = toTimestamp(pending.atMs)
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace: about.namespace },
    involvedObject: about,
    type,
    reason,
    message,
    source: { component },
    reportingComponent: component,
    reportingInstance: "",
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1
  }
}

const counted = (event: KubernetesObject, atMs: number): KubernetesObject => {
  const count = event["count"]
  return withField(
    withField(event, ["count"], typeof count === "number" ? count + 1 : 2),
    ["lastTimestamp"],
    toTimestamp(atMs)
  )
}

const make = Effect.gen(function* () {
  const objects = yield* ClusterObjects
  const config = yield* ControllersConfig
  const pending = yield* Queue.unbounded<Pending>()
  const series = new Map<string, string>()
  let serial = 0

  const remember = (key: string, name: string) => {
    series.delete(key)
    series.set(key, name)
    if (series.size > config.eventSeriesMax) {
      for (const oldest of series.keys()) {
        series.delete(oldest)
        break
      }
    }
  }

  const write = Effect.fnUntraced(function* (entry: Pending) {
    const { about } = entry.happening
    const key = seriesKey(entry.happening)
    const known = series.get(key)
    if (known !== undefined) {
      const updated = yield* objects.modify(
        { resource: "events", namespace: about.namespace, name: known },
        (event) => counted(event, entry.atMs)
      )
      if (Option.isSome(updated)) {
        remember(key, known)
        return
      }
    }
    serial += 1
    const name = `${about.name}.${(BigInt(entry.atMs) * 1_000_000n + BigInt(serial)).toString(16)}`
    yield* objects.create("events", eventObject(entry, name))
    remember(key, name)
  })

  const expire = Effect.gen(function* () {
    const oldest = (yield* Clock.currentTimeMillis) - Duration.toMillis(config.eventRetention)
    for (const event of yield* objects.list("events")) {
      const last = event["lastTimestamp"]
      if (typeof last === "string" && fromTimestamp(last) < oldest) {
        const { name, namespace, uid } = event.metadata
        yield* objects.remove(
          { resource: "events", name, ...(namespace === undefined ? {} : { namespace }) },
          { uid }
        )
      }
    }
  })

  const unrecorded = (what: string) => (cause: unknown) => Effect.logDebug(`event not ${what}`, cause)

  yield* Effect.forkScoped(
    Effect.forever(
      Effect.flatMap(Queue.take(pending), (entry) => Effect.catch(write(entry), unrecorded("recorded")))
    )
  )
  yield* Effect.forkScoped(
    Effect.forever(Effect.andThen(Effect.sleep(config.resync), Effect.catch(expire, unrecorded("removed"))))
  )

  return EventRecorder.of({
    record: (happening) =>
      Effect.flatMap(Clock.currentTimeMillis, (atMs) =>
        Effect.asVoid(Queue.offer(pending, { happening, atMs }))
      )
  })
})

export const layerNoDeps = Layer.effect(EventRecorder, make)
