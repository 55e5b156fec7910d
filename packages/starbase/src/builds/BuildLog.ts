/** Writing and following the log of a build: lines in, chunks in the blob store, lines out. */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { BuildId } from "@starform/domain/ids/Ids"
import { type BuildLogLine, LineSource } from "@starform/domain/model/BuildLogLine"
import { BlobStore } from "../storage/BlobStore.ts"
import { type BuildLogChunk, BuildLogIndex, BuildLogUnavailable } from "./BuildLogIndex.ts"
import { chunkBodies } from "./internal/logChunks.ts"
import { logText } from "./LogText.ts"

export type { BuildLogLine, LineSource } from "@starform/domain/model/BuildLogLine"
export { BuildLogUnavailable } from "./BuildLogIndex.ts"

const StoredLine = Schema.Struct({ atMs: Schema.Int, source: LineSource, text: Schema.String })

export interface BuildLogWriter {
  /** Never waits: lines are kept in memory until they are written, in order. */
  readonly write: (source: LineSource, text: string) => Effect.Effect<void>
  /** Completes when everything is written and readers know that nothing follows. No line after it. */
  readonly end: Effect.Effect<void, BuildLogUnavailable>
}

export interface BuildLogSettings {
  /** At most one chunk per interval; the first line after a pause goes out at once. */
  readonly flushInterval: Duration.Input
  /** A chunk is cut when it has grown to this. */
  readonly chunkBytesMax: number
  readonly retryInterval: Duration.Input
  /** How long `end` waits for a store that does not take the last chunks. */
  readonly endTimeout: Duration.Input
}

export const defaults: BuildLogSettings = {
  flushInterval: "100 millis",
  chunkBytesMax: 64 * 1024,
  retryInterval: "500 millis",
  endTimeout: "10 seconds"
}

export class BuildLog extends Context.Service<
  BuildLog,
  {
    /** One writer per build at a time; it continues a log that an earlier one left without an end (INV-BLD-4). */
    readonly writer: (buildId: BuildId) => Effect.Effect<BuildLogWriter, BuildLogUnavailable, Scope.Scope>
    /** Lines from chunk `fromChunk` (1 is the first) on, live, until the chunk that is the last. */
    readonly follow: (buildId: BuildId, fromChunk: number) => Stream.Stream<BuildLogLine, BuildLogUnavailable>
    /** The lines from chunk `fromChunk` on that are written now; never waits. */
    readonly present: (
      buildId: BuildId,
      fromChunk: number
    ) => Stream.Stream<BuildLogLine, BuildLogUnavailable>
  }
>()("@starform/starbase/builds/BuildLog") {}

const decodeLine = Schema.decodeUnknownEffect(Schema.fromJsonString(StoredLine))

const make = Effect.fnUntraced(function* (settings: BuildLogSettings) {
  const blobs = yield* BlobStore
  const index = yield* BuildLogIndex

  const writer: BuildLog["Service"]["writer"] = Effect.fn("BuildLog.writer")(function* (buildId) {
    let number = yield* index.newest(buildId)
    const lines = yield* Queue.unbounded<string, Cause.Done>()
    const ended = yield* Deferred.make<void>()

    const writeChunk = (body: Uint8Array, isLast: boolean): Effect.Effect<void> =>
      Effect.gen(function* () {
        const { digest, sizeBytes } = yield* blobs.putBytes(body)
        const atMs = yield* Clock.currentTimeMillis
        yield* index.append(buildId, { number: number + 1, digest, sizeBytes, atMs, isLast })
        number++
      }).pipe(
        Effect.tapErrorTag("ChunkTaken", () =>
          Effect.map(index.newest(buildId), (newest) => {
            number = newest
          })
        ),
        Effect.tapError((error) =>
          Effect.logWarning(`build ${buildId}: log chunk not written yet`, error).pipe(
            Effect.andThen(Effect.sleep(settings.retryInterval))
          )
        ),
        Effect.eventually
      )

    const pause = Effect.race(Effect.sleep(settings.flushInterval), Deferred.await(ended))
    const flusher = yield* Stream.fromQueue(lines).pipe(
      Stream.runForEachArray((batch) =>
        Effect.forEach(chunkBodies(batch, settings.chunkBytesMax), (body) => writeChunk(body, false), {
          discard: true
        }).pipe(Effect.andThen(pause))
      ),
      Effect.andThen(writeChunk(new Uint8Array(0), true)),
      Effect.forkScoped
    )

    return {
      write: (source, text) =>
        Effect.map(Clock.currentTimeMillis, (atMs) => {
          Queue.offerUnsafe(lines, JSON.stringify({ atMs, source, text: logText(text) }))
        }),
      end: Queue.end(lines).pipe(
        Effect.andThen(Deferred.succeed(ended, undefined)),
        Effect.andThen(Fiber.join(flusher)),
        Effect.timeoutOrElse({
          duration: settings.endTimeout,
          orElse: () => new BuildLogUnavailable({ operation: "end", cause: "the last chunks were not taken" })
        })
      )
    }
  })

  const linesOf = (chunk: BuildLogChunk): Effect.Effect<ReadonlyArray<BuildLogLine>, BuildLogUnavailable> =>
    blobs.getBytes(chunk.digest).pipe(
      Effect.map((body) =>
        new TextDecoder()
          .decode(body)
          .split("\n")
          .filter((line) => line !== "")
      ),
      Effect.flatMap(Effect.forEach((line) => decodeLine(line))),
      Effect.map((lines) => lines.map((line, place) => ({ chunk: chunk.number, index: place, ...line }))),
      Effect.mapError((cause) => new BuildLogUnavailable({ operation: "read", cause }))
    )

  const follow: BuildLog["Service"]["follow"] = (buildId, fromChunk) =>
    Stream.unwrap(
      Effect.map(index.watch(buildId), (changed) => {
        const chunksFrom = (
          from: number,
          isFirst: boolean
        ): Stream.Stream<BuildLogChunk, BuildLogUnavailable> =>
          Stream.unwrap(
            Effect.map(
              Effect.andThen(isFirst ? Effect.void : changed, index.list(buildId, from)),
              (chunks) => {
                const newest = chunks.at(-1)
                const present = Stream.fromIterable(chunks)
                if (newest?.isLast === true) return present
                return Stream.concat(
                  present,
                  Stream.suspend(() => chunksFrom(newest === undefined ? from : newest.number + 1, false))
                )
              }
            )
          )
        return chunksFrom(fromChunk, true)
      })
    ).pipe(Stream.mapEffect(linesOf), Stream.flattenIterable)

  const present: BuildLog["Service"]["present"] = (buildId, fromChunk) =>
    Stream.fromIterableEffect(index.list(buildId, fromChunk)).pipe(
      Stream.mapEffect(linesOf),
      Stream.flattenIterable
    )

  return { writer, follow, present }
})

export const layer = (
  settings: Partial<BuildLogSettings> = {}
): Layer.Layer<BuildLog, never, BlobStore | BuildLogIndex> =>
  Layer.effect(BuildLog, make({ ...defaults, ...settings }))
