/** The index of build logs in one process's memory. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BuildId } from "@starform/domain/ids/Ids"
import { type BuildLogChunk, BuildLogIndex, ChunkTaken } from "./BuildLogIndex.ts"
import { makeWakeups } from "./internal/wakeups.ts"

const make = Effect.sync((): BuildLogIndex["Service"] => {
  const logs = new Map<BuildId, Map<number, BuildLogChunk>>()
  const wakeups = makeWakeups("1 second")
  const chunksOf = (buildId: BuildId) => [...(logs.get(buildId)?.values() ?? [])]

  return {
    append: (buildId, chunk) =>
      Effect.suspend(() => {
        const chunks = logs.get(buildId) ?? new Map<number, BuildLogChunk>()
        const present = chunks.get(chunk.number)
        if (present !== undefined && present.digest !== chunk.digest) {
          return Effect.fail(new ChunkTaken({ buildId, number: chunk.number }))
        }
        logs.set(buildId, chunks.set(chunk.number, chunk))
        wakeups.wake(buildId)
        return Effect.void
      }),
    list: (buildId, from) =>
      Effect.sync(() =>
        chunksOf(buildId)
          .filter(({ number }) => number >= from)
          .sort((a, b) => a.number - b.number)
      ),
    newest: (buildId) => Effect.sync(() => Math.max(0, ...chunksOf(buildId).map(({ number }) => number))),
    watch: wakeups.watch
  }
})

export const layer: Layer.Layer<BuildLogIndex> = Layer.effect(BuildLogIndex, make)
