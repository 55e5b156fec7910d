/**
 * What all controllers share: a keyed loop that is activated by changes of the objects it concerns and by a timer, and
 * reading objects through their schemas.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import {
  ClusterObjects,
  type KubernetesObject,
  type ListFilter,
  type ObjectKey,
  type ResourceName
} from "../kubernetes/ClusterObjects.ts"
import { ControllersConfig } from "./ControllersConfig.ts"
import * as KeyedLoop from "./KeyedLoop.ts"
import { keyOf } from "./objects/NamespacedKey.ts"

export interface Trigger {
  readonly resource: ResourceName
  /** Which keys a change of such an object concerns. */
  readonly keys: (object: KubernetesObject) => Effect.Effect<ReadonlyArray<string>>
}

export interface ControllerOptions<E, R> {
  /** For logs. */
  readonly name: string
  /** Its objects are the keys; each is looked at again at every resync. */
  readonly resource: ResourceName
  readonly triggers: ReadonlyArray<Trigger>
  readonly reconcile: (key: string) => Effect.Effect<KeyedLoop.Outcome, E, R>
}

/** Runs until the scope closes. */
export const run = Effect.fnUntraced(function* <E, R>(options: ControllerOptions<E, R>) {
  const objects = yield* ClusterObjects
  const config = yield* ControllersConfig
  const loop = yield* KeyedLoop.make({
    name: options.name,
    reconcile: options.reconcile,
    concurrency: config.concurrency,
    retryMin: config.retryMin,
    retryMax: config.retryMax
  })
  const own: Trigger = { resource: options.resource, keys: (object) => Effect.succeed([keyOf(object)]) }
  for (const trigger of [own, ...options.triggers]) {
    yield* Effect.forkScoped(
      Stream.runForEach(objects.changes(trigger.resource), ({ object }) =>
        Effect.flatMap(trigger.keys(object), (keys) => Effect.forEach(keys, loop.activate, { discard: true }))
      )
    )
  }
  const resync = Effect.flatMap(objects.list(options.resource), (all) =>
    Effect.forEach(all, (object) => loop.activate(keyOf(object)), { discard: true })
  )
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(config.resync), resync)))
})

/** `None` when there is no such object. */
export const read = Effect.fnUntraced(function* <S extends Schema.Codec<unknown, unknown>>(
  schema: S,
  key: ObjectKey
) {
  const objects = yield* ClusterObjects
  const found = yield* objects.get(key)
  return Option.isNone(found)
    ? Option.none<S["Type"]>()
    : Option.some(yield* Schema.decodeEffect(schema)(found.value))
})

export const readAll = Effect.fnUntraced(function* <S extends Schema.Codec<unknown, unknown>>(
  schema: S,
  resource: ResourceName,
  filter?: ListFilter
) {
  const objects = yield* ClusterObjects
  const found = yield* filter === undefined ? objects.list(resource) : objects.list(resource, filter)
  return yield* Effect.forEach(found, (object) => Schema.decodeEffect(schema)(object))
})

export const nowMs = Clock.currentTimeMillis
