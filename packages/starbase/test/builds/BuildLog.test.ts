import { randomUUID } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { BuildId } from "@starform/domain/ids/Ids"
import * as BuildLog from "@starform/starbase/builds/BuildLog"
import { BuildLogIndex } from "@starform/starbase/builds/BuildLogIndex"
import * as BuildLogIndexMemory from "@starform/starbase/builds/BuildLogIndexMemory"
import { BlobStore, BlobStoreUnavailable } from "@starform/starbase/storage/BlobStore"
import * as BlobStoreMemory from "@starform/starbase/storage/BlobStoreMemory"

const settings = { flushInterval: "10 millis", chunkBytesMax: 1000, retryInterval: "10 millis" } as const

const layer = BuildLog.layer(settings).pipe(
  Layer.provideMerge(BuildLogIndexMemory.layer),
  Layer.provideMerge(BlobStoreMemory.layer)
)

const newBuild = () => BuildId.make(randomUUID())

const written = (buildId: BuildId, texts: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const writer = yield* (yield* BuildLog.BuildLog).writer(buildId)
      for (const text of texts) yield* writer.write("output", text)
      yield* writer.end
    })
  )

const textsFrom = (buildId: BuildId, fromChunk: number) =>
  Effect.flatMap(BuildLog.BuildLog, (log) =>
    Effect.map(Stream.runCollect(log.follow(buildId, fromChunk)), (lines) => lines.map(({ text }) => text))
  )

describe("BuildLog", () => {
  it.live("gives back every line in order, from a log of many chunks", () =>
    Effect.gen(function* () {
      const buildId = newBuild()
      const texts = Array.from({ length: 500 }, (_, n) => `line ${n} ${"é".repeat(n % 7)}`)
      yield* written(buildId, texts)
      const lines = yield* Stream.runCollect((yield* BuildLog.BuildLog).follow(buildId, 1))
      assert.deepStrictEqual(
        lines.map(({ text }) => text),
        texts
      )
      const newest = yield* (yield* BuildLogIndex).newest(buildId)
      assert.isAbove(newest, 10)
      assert.strictEqual(lines[0]?.chunk, 1)
      assert.strictEqual(lines[1]?.index, 1)
    }).pipe(Effect.provide(layer))
  )

  it.live(
    "shows what is written so far without waiting, of a log without an end and of one that never began",
    () =>
      Effect.gen(function* () {
        const log = yield* BuildLog.BuildLog
        const buildId = newBuild()
        const writer = yield* log.writer(buildId)
        yield* writer.write("output", "begun")
        yield* Stream.runHead(log.follow(buildId, 1))
        const present = yield* Stream.runCollect(log.present(buildId, 1))
        assert.deepStrictEqual(
          present.map(({ text }) => text),
          ["begun"]
        )
        assert.deepStrictEqual(yield* Stream.runCollect(log.present(newBuild(), 1)), [])
      }).pipe(Effect.scoped, Effect.provide(layer))
  )

  it.live("delivers a line while the build still runs, to a reader that came before it", () =>
    Effect.gen(function* () {
      const log = yield* BuildLog.BuildLog
      const buildId = newBuild()
      const first = yield* Effect.forkChild(Stream.runHead(log.follow(buildId, 1)), {
        startImmediately: true
      })
      const writer = yield* log.writer(buildId)
      yield* writer.write("notice", "begun")
      const head = yield* Fiber.join(first).pipe(Effect.timeout("5 seconds"))
      assert.strictEqual(head._tag === "Some" ? head.value.text : "", "begun")
    }).pipe(Effect.scoped, Effect.provide(layer))
  )

  it.live("starts a reader at the chunk that it asks for", () =>
    Effect.gen(function* () {
      const buildId = newBuild()
      yield* written(
        buildId,
        Array.from({ length: 100 }, (_, n) => `line ${n}`)
      )
      const all = yield* Stream.runCollect((yield* BuildLog.BuildLog).follow(buildId, 1))
      const later = yield* textsFrom(buildId, 3)
      assert.deepStrictEqual(
        later,
        all.filter(({ chunk }) => chunk >= 3).map(({ text }) => text)
      )
      assert.isAbove(later.length, 0)
    }).pipe(Effect.provide(layer))
  )

  it.live("continues the log that an interrupted writer left (INV-BLD-4)", () =>
    Effect.gen(function* () {
      const log = yield* BuildLog.BuildLog
      const index = yield* BuildLogIndex
      const buildId = newBuild()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* (yield* log.writer(buildId)).write("output", "before")
          while ((yield* index.newest(buildId)) === 0) yield* Effect.sleep("2 millis")
        })
      )
      yield* written(buildId, ["after"])
      assert.deepStrictEqual(yield* textsFrom(buildId, 1), ["before", "after"])
    }).pipe(Effect.provide(layer))
  )

  it.live("keeps colours and drops what moves a terminal's cursor", () =>
    Effect.gen(function* () {
      const buildId = newBuild()
      yield* written(buildId, ["\u001b[32mgreen\u001b[0m\tand\u0007\u0008 bell"])
      assert.deepStrictEqual(yield* textsFrom(buildId, 1), ["\u001b[32mgreen\u001b[0m\tand bell"])
    }).pipe(Effect.provide(layer))
  )

  it.live("writes what it kept as soon as a store that was away is back", () =>
    Effect.gen(function* () {
      const blobs = yield* BlobStore
      let failuresLeft = 3
      const flaky = Layer.succeed(BlobStore, {
        ...blobs,
        putBytes: (bytes) =>
          Effect.suspend(() =>
            failuresLeft-- > 0
              ? Effect.fail(new BlobStoreUnavailable({ operation: "put", cause: "away" }))
              : blobs.putBytes(bytes)
          )
      })
      const buildId = newBuild()
      yield* Effect.provide(
        Effect.gen(function* () {
          yield* written(buildId, ["one", "two"])
          assert.deepStrictEqual(yield* textsFrom(buildId, 1), ["one", "two"])
        }),
        BuildLog.layer(settings).pipe(Layer.provide(flaky)),
        { local: true }
      )
      assert.isBelow(failuresLeft, 0)
    }).pipe(Effect.provide(layer))
  )

  it.live("fails the end, not the build, when the store stays away", () =>
    Effect.gen(function* () {
      const blobs = yield* BlobStore
      const away = Layer.succeed(BlobStore, {
        ...blobs,
        putBytes: () => Effect.fail(new BlobStoreUnavailable({ operation: "put", cause: "away" }))
      })
      const ended = written(newBuild(), ["lost"])
      const error = yield* Effect.flip(
        Effect.provide(
          ended,
          BuildLog.layer({ ...settings, endTimeout: "50 millis" }).pipe(Layer.provide(away)),
          {
            local: true
          }
        )
      )
      assert.strictEqual(error._tag, "BuildLogUnavailable")
    }).pipe(Effect.provide(layer))
  )
})
