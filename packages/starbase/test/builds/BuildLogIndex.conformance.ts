/** The promises of the index of build logs; every implementation runs this suite. */
import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { Digest } from "@starform/domain/ids/Digest"
import { BuildId } from "@starform/domain/ids/Ids"
import { type BuildLogChunk, BuildLogIndex } from "@starform/starbase/builds/BuildLogIndex"

const chunk = (number: number, fields: Partial<BuildLogChunk> = {}): BuildLogChunk => ({
  number,
  digest: Digest.make(`sha256:${number.toString(16).padStart(64, "0")}`),
  sizeBytes: 10 * number,
  atMs: 1_700_000_000_123 + number,
  isLast: false,
  ...fields
})

const newBuild = () => BuildId.make(randomUUID())

export const buildLogIndexConformance = <E>(name: string, layer: Layer.Layer<BuildLogIndex, E>): void => {
  it.layer(layer, { timeout: 60_000, excludeTestServices: true })(name, (it) => {
    it.effect("lists chunks in order, from a number on, unchanged", () =>
      Effect.gen(function* () {
        const index = yield* BuildLogIndex
        const buildId = newBuild()
        for (const number of [1, 2, 3]) yield* index.append(buildId, chunk(number, { isLast: number === 3 }))
        yield* index.append(newBuild(), chunk(1))
        assert.deepStrictEqual(yield* index.list(buildId, 2), [chunk(2), chunk(3, { isLast: true })])
        assert.strictEqual(yield* index.newest(buildId), 3)
      })
    )

    it.effect("knows nothing of a build that wrote nothing", () =>
      Effect.gen(function* () {
        const index = yield* BuildLogIndex
        const buildId = newBuild()
        assert.deepStrictEqual(yield* index.list(buildId, 1), [])
        assert.strictEqual(yield* index.newest(buildId), 0)
      })
    )

    it.effect("takes the same chunk twice and refuses another under its number (INV-BLD-4)", () =>
      Effect.gen(function* () {
        const index = yield* BuildLogIndex
        const buildId = newBuild()
        yield* index.append(buildId, chunk(1))
        yield* index.append(buildId, chunk(1))
        const error = yield* Effect.flip(index.append(buildId, chunk(1, { digest: chunk(2).digest })))
        assert.strictEqual(error._tag, "ChunkTaken")
        assert.deepStrictEqual(yield* index.list(buildId, 1), [chunk(1)])
      })
    )

    it.effect("wakes a watcher of the build well before the poll", () =>
      Effect.gen(function* () {
        const index = yield* BuildLogIndex
        const buildId = newBuild()
        const changed = yield* index.watch(buildId)
        yield* index.append(buildId, chunk(1))
        yield* changed
        const startedAt = performance.now()
        yield* index.append(buildId, chunk(2))
        yield* changed
        assert.isBelow(performance.now() - startedAt, 900)
      })
    )
  })
}
