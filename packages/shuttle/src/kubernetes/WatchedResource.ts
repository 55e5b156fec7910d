/** One kind's list/watch loop: list in pages, then watch on from there, for as long as its scope lives. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { jitteredPause } from "../pacing/JitteredPause.ts"
import type { Settings } from "../ShuttleConfig.ts"
import type { VersionedReference, WatchEvent } from "./internal/watchLine.ts"
import type { Requests } from "./KubernetesClient.ts"
import type { RequestError, VersionExpired } from "./KubernetesErrors.ts"
import type { ObjectIndex } from "./ObjectIndex.ts"
import type { ObservedObject } from "./ObservedObject.ts"
import type { ResourceKind } from "./ResourceKind.ts"

export interface WatchedResourceOptions {
  readonly kind: ResourceKind
  readonly labelSelector: string
  readonly client: Pick<Requests, "list" | "watch">
  readonly index: ObjectIndex
  readonly settings: Pick<Settings, "watchLife" | "watchRetryFirst" | "watchRetryMax">
  /** Called with each object that changed or went, after the index says so. */
  readonly onChange: (object: ObservedObject) => Effect.Effect<void>
  /** After each complete list. */
  readonly onSynced: Effect.Effect<void>
  /** With each line of a watch, bookmarks included, each watch that was opened, and each list. */
  readonly onContact: Effect.Effect<void>
  /** With the number of failures in a row before this one. */
  readonly onError: (error: VersionExpired | RequestError, failuresBefore: number) => Effect.Effect<void>
}

/** Never returns. Every error is passed to `onError` and followed by a pause. */
export const run = (options: WatchedResourceOptions): Effect.Effect<never> => {
  const { client, index, kind, labelSelector, settings } = options
  /** Where the next watch starts; `null` means that a list is due. */
  let version: string | null = null
  let failures = 0
  /** Of the present watch; one that ends early without any is not opened again at once. */
  let lines = 0
  let openedAtMs = 0

  const list = Effect.gen(function* () {
    const objects: Array<ObservedObject> = []
    let page = yield* client.list(kind, labelSelector, null)
    objects.push(...page.objects)
    while (page.next !== null) {
      page = yield* client.list(kind, labelSelector, page.next)
      objects.push(...page.objects)
    }
    const changed = index.replace(kind, objects, page.resourceVersion)
    version = page.resourceVersion
    yield* options.onContact
    yield* Effect.forEach(changed, options.onChange, { discard: true })
    yield* options.onSynced
  })

  const isKnown = (seen: VersionedReference) => index.isKnown(seen)

  const pause = Effect.suspend(() => {
    failures += 1
    return Effect.flatMap(
      jitteredPause(settings.watchRetryFirst, settings.watchRetryMax, failures),
      Effect.sleep
    )
  })

  const receive = (event: WatchEvent) => {
    if (event._tag === "Opened") return options.onContact
    failures = 0
    lines += 1
    if (event._tag === "Bookmark") {
      version = event.resourceVersion
      return options.onContact
    }
    version = event.object.resourceVersion
    const isNews = event._tag === "Changed" ? index.put(event.object) : index.remove(event.object)
    return isNews ? Effect.andThen(options.onContact, options.onChange(event.object)) : options.onContact
  }

  /** A watch of a kind of which nothing changes ends in silence and is no failure. */
  const rest = Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
    if (lines > 0) return Effect.void
    if (nowMs - openedAtMs < Duration.toMillis(settings.watchLife) / 2) return pause
    failures = 0
    return Effect.void
  })

  const watch = (from: string) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      lines = 0
      openedAtMs = nowMs
      return Stream.runForEach(client.watch(kind, labelSelector, from, isKnown), receive)
    }).pipe(Effect.andThen(rest))

  const turn = Effect.suspend(() => (version === null ? list : watch(version))).pipe(
    Effect.catch((error) => {
      if (error._tag === "VersionExpired" || error._tag === "KubernetesRefused") version = null
      return Effect.andThen(options.onError(error, failures), pause)
    })
  )
  return Effect.forever(turn)
}
