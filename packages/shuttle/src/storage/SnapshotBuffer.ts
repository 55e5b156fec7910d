/**
 * Snapshots on their way to Starbase, on disk until they are acknowledged. Segments are written once, whole, and only ever
 * removed; see README for the format and what a crash leaves.
 */
import { type PodSnapshot, snapshotsMax } from "@starform/domain/observed/PodSnapshot"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { snapshotBufferAge, snapshotBufferBytes, snapshotsDropped } from "../health/ShuttleMetrics.ts"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import type { StateNotOpened } from "./StateCipher.ts"
import { StateKey, type StateFileUnusable, unusable } from "./StateKey.ts"
import { openSnapshots, sealSnapshots } from "./StoredSnapshots.ts"

/** One file, of one part of a sweep. */
export interface Segment {
  /** Sorts by time. */
  readonly name: string
  readonly atMs: number
  readonly count: number
  readonly bytes: number
  /** What the disk would not take. */
  readonly sealed: Uint8Array | null
}

export class SnapshotBuffer extends Context.Service<
  SnapshotBuffer,
  {
    /**
     * On return they are on disk, and stay through a crash; where the disk does not take them, in memory. The oldest are
     * dropped, and counted, beyond the bounds of bytes and age.
     */
    readonly append: (snapshots: ReadonlyArray<PodSnapshot>) => Effect.Effect<void>
    /** `None` when all is acknowledged. */
    readonly oldest: Effect.Effect<Option.Option<Segment>>
    readonly read: (
      segment: Segment
    ) => Effect.Effect<ReadonlyArray<PodSnapshot>, StateFileUnusable | StateNotOpened>
    /** After the acknowledgement, or because it can never get one. */
    readonly remove: (segment: Segment) => Effect.Effect<void>
  }
>()("@starform/shuttle/storage/SnapshotBuffer") {}

/** Of what the disk does not take. */
const memoryBytesMax = 4 * 1024 * 1024

/** `<milliseconds since 1970, 15 digits>-<part>-<snapshots>.sealed` */
const pattern = /^(\d{15})-(\d{4})-(\d{1,4})\.sealed$/

const nameOf = (atMs: number, part: number, count: number): string =>
  `${String(atMs).padStart(15, "0")}-${String(part).padStart(4, "0")}-${count}.sealed`

const make = Effect.gen(function* () {
  const settings = yield* ShuttleConfig
  const key = yield* StateKey
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = path.join(settings.dataDirectory, "snapshots")
  const fileOf = (name: string) => path.join(folder, name)
  const contextOf = (name: string) => `${settings.clusterId} snapshots ${name}`
  const ageMaxMs = Duration.toMillis(settings.snapshotBufferAgeMax)
  let segments: ReadonlyArray<Segment> = []

  const restore = Effect.gen(function* () {
    yield* fs.makeDirectory(folder, { recursive: true, mode: 0o700 })
    const names = [...(yield* fs.readDirectory(folder))].sort()
    segments = yield* Effect.forEach(
      names.filter((name) => pattern.test(name)),
      (name) =>
        Effect.map(fs.stat(fileOf(name)), ({ size }): Segment => {
          const [, at, , count] = pattern.exec(name) ?? []
          return { name, atMs: Number(at), count: Number(count), bytes: Number(size), sealed: null }
        })
    )
    const unfinished = names.filter((name) => name.endsWith(".new"))
    yield* Effect.forEach(unfinished, (name) => fs.remove(fileOf(name)), { discard: true })
  }).pipe(Effect.mapError(unusable(folder, "cannot be used")))

  const show = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const ageMs = nowMs - (segments[0]?.atMs ?? nowMs)
    yield* Metric.update(
      snapshotBufferBytes,
      segments.reduce((sum, { bytes }) => sum + bytes, 0)
    )
    yield* Metric.update(snapshotBufferAge, Math.max(0, ageMs) / 1000)
  })

  /** The renaming is on disk only when the folder is. */
  const sync = (file: string, flag: "r" | "w", bytes?: Uint8Array) =>
    Effect.scoped(
      Effect.gen(function* () {
        const handle = yield* fs.open(file, { flag, mode: 0o600 })
        if (bytes !== undefined) yield* handle.writeAll(bytes)
        yield* handle.sync
      })
    )

  const write = (name: string, sealed: Uint8Array) =>
    sync(`${fileOf(name)}.new`, "w", sealed).pipe(
      Effect.andThen(fs.rename(`${fileOf(name)}.new`, fileOf(name))),
      Effect.andThen(sync(folder, "r")),
      Effect.mapError(unusable(fileOf(name), "cannot be written"))
    )

  /** What was never acknowledged may be sent again after a crash: to remove a file needs no sync. */
  const forget = Effect.fnUntraced(function* (segment: Segment) {
    segments = segments.filter(({ name }) => name !== segment.name)
    if (segment.sealed !== null) return
    yield* fs.remove(fileOf(segment.name), { force: true }).pipe(
      Effect.catch((cause) =>
        Effect.logError("A segment of snapshots cannot be removed; it is sent again after a restart", {
          problem: unusable(fileOf(segment.name), "cannot be removed")(cause).message
        })
      )
    )
  })

  const excess = (nowMs: number): Segment | undefined => {
    const [first] = segments
    if (first === undefined) return undefined
    const sum = (of: ReadonlyArray<Segment>) => of.reduce((total, { bytes }) => total + bytes, 0)
    const inMemory = segments.filter(({ sealed }) => sealed !== null)
    if (sum(inMemory) > memoryBytesMax) return inMemory[0]
    const isOver = nowMs - first.atMs > ageMaxMs || sum(segments) > settings.snapshotBufferBytesMax
    return isOver ? first : undefined
  }

  const bound = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    let dropped = 0
    for (let over = excess(nowMs); over !== undefined; over = excess(nowMs)) {
      dropped += over.count
      yield* forget(over)
    }
    if (dropped === 0) return
    yield* Metric.update(snapshotsDropped, dropped)
    yield* Effect.logError("Snapshots that Starbase never took are dropped", { snapshots: dropped })
  })

  const put = Effect.fnUntraced(function* (part: ReadonlyArray<PodSnapshot>) {
    const atMs = yield* Clock.currentTimeMillis
    const taken = new Set(segments.map(({ name }) => name.slice(0, 20)))
    let number = 0
    while (taken.has(nameOf(atMs, number, 0).slice(0, 20))) number += 1
    const name = nameOf(atMs, number, part.length)
    const sealed = sealSnapshots(key, contextOf(name), part)
    const isWritten = yield* write(name, sealed).pipe(
      Effect.as(true),
      Effect.catch((error) =>
        Effect.as(Effect.logError("Snapshots are held in memory only", { problem: error.message }), false)
      )
    )
    const segment = {
      name,
      atMs,
      count: part.length,
      bytes: sealed.length,
      sealed: isWritten ? null : sealed
    }
    segments = [...segments, segment].sort((a, b) => (a.name < b.name ? -1 : 1))
  })

  yield* restore
  return SnapshotBuffer.of({
    append: Effect.fn("SnapshotBuffer.append")(function* (snapshots) {
      const parts = Math.ceil(snapshots.length / snapshotsMax)
      for (let part = 0; part < parts; part++) {
        yield* put(snapshots.slice(part * snapshotsMax, (part + 1) * snapshotsMax))
      }
      yield* bound
      yield* show
    }),
    oldest: Effect.sync(() => Option.fromUndefinedOr(segments[0])),
    read: Effect.fn("SnapshotBuffer.read")(function* (segment) {
      const file = fileOf(segment.name)
      const sealed =
        segment.sealed ?? (yield* fs.readFile(file).pipe(Effect.mapError(unusable(file, "cannot be read"))))
      return yield* openSnapshots(key, contextOf(segment.name), sealed)
    }),
    remove: (segment) => Effect.andThen(forget(segment), show)
  })
})

export const layer: Layer.Layer<
  SnapshotBuffer,
  StateFileUnusable,
  ShuttleConfig | StateKey | FileSystem.FileSystem | Path.Path
> = Layer.effect(SnapshotBuffer)(make)
