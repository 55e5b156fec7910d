/** `ClusterObjects` on the store of the same process. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { ApiStatus } from "./ApiStatus.ts"
import { ClusterObjects, type KubernetesObject, type ObjectEvent, type ObjectKey } from "./ClusterObjects.ts"
import type { JsonObject } from "./JsonValue.ts"
import * as ObjectDeletion from "./ObjectDeletion.ts"
import * as ObjectOperations from "./ObjectOperations.ts"
import { changesFrom, keyOf, ObjectStore } from "./ObjectStore.ts"
import type { ResourceType } from "./kinds/ResourceType.ts"
import * as ResourceTypes from "./ResourceTypes.ts"
import * as Selectors from "./Selectors.ts"
import * as Statuses from "./Statuses.ts"

/** Owner of the fields that controllers write. */
const manager = "launchpad-controllers"

/** A controller that writes a field which its kind does not have is wrong. */
const writing = { manager, fieldValidation: "Strict", dryRun: false } as const

const typeOf = (resource: string): Effect.Effect<ResourceType, ApiStatus> => {
  const type = ResourceTypes.find(resource)
  return type === undefined ? Effect.fail(Statuses.unknownPath()) : Effect.succeed(type)
}

export const layer: Layer.Layer<ClusterObjects, never, ObjectStore> = Layer.effect(
  ClusterObjects,
  Effect.gen(function* () {
    const store = yield* ObjectStore

    const lookUp = (key: ObjectKey) => store.get(key.resource, keyOf(key.namespace, key.name))

    const changes = (resource: string): Stream.Stream<ObjectEvent> =>
      Stream.unwrap(
        Effect.gen(function* () {
          const { objects, version } = store.list(resource)
          const queue = yield* changesFrom(store, resource, version)
          const existing = objects.map((object): ObjectEvent => ({ type: "ADDED", object }))
          const live = Stream.fromEffectRepeat(Queue.takeAll(queue)).pipe(
            Stream.flattenIterable,
            Stream.map(({ type, object }): ObjectEvent => ({ type, object }))
          )
          return Stream.concat(Stream.fromIterable(existing), live)
        })
      )

    return ClusterObjects.of({
      get: (key) => Effect.sync(() => Option.fromNullishOr(lookUp(key))),

      list: (resource, filter = {}) =>
        Effect.sync(() => {
          const selected = Selectors.label(filter.labelSelector ?? "")
          const isSelected = Result.isSuccess(selected) ? selected.success : () => false
          return store
            .list(resource)
            .objects.filter(
              (object) =>
                (filter.namespace === undefined || object.metadata.namespace === filter.namespace) &&
                isSelected(object)
            )
        }),

      changes,

      create: Effect.fnUntraced(function* (resource, object) {
        const type = yield* typeOf(resource)
        const nowMs = yield* Clock.currentTimeMillis
        const content = object as KubernetesObject
        const namespace = type.namespaced ? content.metadata.namespace : undefined
        const written = yield* Effect.fromResult(
          ObjectOperations.create(store, type, namespace, content, { ...writing, nowMs })
        )
        return written.object
      }),

      modify: Effect.fnUntraced(function* (key, f, options = {}) {
        const type = yield* typeOf(key.resource)
        const nowMs = yield* Clock.currentTimeMillis
        const place = { type, namespace: key.namespace, name: key.name }
        const before = lookUp(key)
        if (before === undefined) return Option.none<KubernetesObject>()
        const wanted = f(before, (resource) => store.list(resource).objects)
        if (wanted === undefined) return Option.some(before)
        const written = yield* Effect.fromResult(
          ObjectOperations.update(store, place, wanted as JsonObject, {
            ...writing,
            nowMs,
            ...options
          })
        )
        return Option.some(written.object)
      }),

      remove: Effect.fnUntraced(function* (key, options = {}) {
        const type = yield* typeOf(key.resource)
        const nowMs = yield* Clock.currentTimeMillis
        const place = { type, namespace: key.namespace, name: key.name }
        if (lookUp(key) === undefined) return
        yield* Effect.fromResult(
          ObjectDeletion.remove(store, place, { propagation: "Background", dryRun: false, nowMs, ...options })
        )
      })
    })
  })
)
