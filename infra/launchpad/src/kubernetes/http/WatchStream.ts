/** A watch: what exists when asked for, then every change, as one JSON document per line (INV-API-K2). */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { KubernetesObject } from "../ClusterObjects.ts"
import { type Change, changesFrom, type ObjectStore } from "../ObjectStore.ts"
import { apiVersionOf, type ResourceType } from "../kinds/ResourceType.ts"
import type { Predicate } from "../Selectors.ts"
import type { Form } from "./ListRequest.ts"
import { partial, table } from "./TableFormat.ts"

/** How often a quiet watch that allows bookmarks gets one. */
export const bookmarkInterval = Duration.seconds(20)

/** A watch that does not ask for an end gets one after this long. */
export const watchMax = Duration.minutes(30)

export interface WatchRequest {
  readonly type: ResourceType
  readonly isSelected: Predicate
  readonly form: Form
  /** `undefined`: from now, with everything that exists first. */
  readonly from: number | undefined
  readonly bookmarks: boolean
  /** Everything that exists first, then a marked bookmark. */
  readonly initialEvents: boolean
  readonly timeout: Duration.Duration
}

interface Line {
  readonly type: string
  readonly object: unknown
}

const lineOf = (
  request: WatchRequest,
  change: Change
): { readonly type: string; readonly object: KubernetesObject } | undefined => {
  const { object, previous } = change
  const isIn = change.type !== "DELETED" && request.isSelected(object)
  const wasIn = previous !== undefined && request.isSelected(previous)
  if (isIn) return { type: wasIn ? "MODIFIED" : "ADDED", object }
  if (!wasIn) return undefined
  // What left is told as it was known, under the version at which it left.
  const { resourceVersion } = object.metadata
  return { type: "DELETED", object: { ...previous, metadata: { ...previous.metadata, resourceVersion } } }
}

const encoder = new TextEncoder()

/** Sends the head of the response, so that a client of a quiet watch knows that it watches. */
const nothing = new Uint8Array(0)

const bytesOf = (line: Line): Uint8Array => encoder.encode(`${JSON.stringify(line)}\n`)

/** @errors none: an answer that went wrong half way is an ERROR line, as Kubernetes sends it */
export const stream = (store: ObjectStore["Service"], request: WatchRequest): Stream.Stream<Uint8Array> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { objects, version } = store.list(request.type.resource)
      const startsWithAll = request.from === undefined || request.initialEvents
      const from = startsWithAll ? version : (request.from ?? version)
      const queue = yield* changesFrom(store, request.type.resource, from)
      let isFirst = true
      let newest = from

      const shaped = (object: KubernetesObject, nowMs: number): unknown => {
        if (request.form === "metadata") return partial(object)
        if (request.form === "object") return object
        const withColumns = isFirst
        isFirst = false
        const metadata = { resourceVersion: object.metadata.resourceVersion }
        return table(request.type, [object], { metadata, nowMs, withColumns })
      }

      const bookmark = (annotations: Record<string, string> | undefined): Line => ({
        type: "BOOKMARK",
        object: {
          kind: request.type.kind,
          apiVersion: apiVersionOf(request.type),
          metadata: {
            resourceVersion: String(newest),
            ...(annotations === undefined ? {} : { annotations })
          }
        }
      })

      const nowMs = yield* Clock.currentTimeMillis
      const existing: ReadonlyArray<Line> = startsWithAll
        ? objects
            .filter(request.isSelected)
            .map((object) => ({ type: "ADDED", object: shaped(object, nowMs) }))
        : []
      const marked: ReadonlyArray<Line> = request.initialEvents
        ? [bookmark({ "k8s.io/initial-events-end": "true" })]
        : []

      const next = Effect.gen(function* () {
        const changes = yield* Queue.takeAll(queue)
        const at = yield* Clock.currentTimeMillis
        newest = changes.at(-1)?.version ?? newest
        return changes.flatMap((change): ReadonlyArray<Line> => {
          const line = lineOf(request, change)
          return line === undefined ? [] : [{ type: line.type, object: shaped(line.object, at) }]
        })
      })
      const quiet = Effect.sync((): ReadonlyArray<Line> => {
        newest = Math.max(newest, queueIsIdle(queue) ? store.version() : newest)
        return request.bookmarks ? [bookmark(undefined)] : []
      })
      const live = Stream.fromEffectRepeat(
        Effect.timeoutOrElse(next, { duration: bookmarkInterval, orElse: () => quiet })
      ).pipe(Stream.flattenIterable)
      const ending = Stream.suspend(() => Stream.fromIterable(request.bookmarks ? [bookmark(undefined)] : []))

      const lines = Stream.fromIterable([...existing, ...marked]).pipe(
        Stream.concat(live),
        Stream.interruptWhen(Effect.sleep(request.timeout)),
        Stream.concat(ending),
        Stream.map(bytesOf)
      )
      return Stream.concat(Stream.make(nothing), lines)
    })
  )

const queueIsIdle = (queue: Queue.Queue<Change>): boolean => Queue.sizeUnsafe(queue) === 0

/** The only line of a watch from a version whose changes are no longer kept. */
export const expired = (status: unknown): Stream.Stream<Uint8Array> =>
  Stream.make(bytesOf({ type: "ERROR", object: status }))
