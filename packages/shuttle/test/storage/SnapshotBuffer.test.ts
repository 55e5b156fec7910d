import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import {
  minuteOf,
  type PodSnapshot,
  type SnapshotFacts,
  snapshotsMax
} from "@starform/domain/observed/PodSnapshot"
import { withId } from "@starform/shuttle/reports/PodSnapshots"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import * as SnapshotBuffer from "@starform/shuttle/storage/SnapshotBuffer"
import * as StateKey from "@starform/shuttle/storage/StateKey"
import { StoredSnapshots } from "@starform/shuttle/storage/StoredSnapshots"
import { Duration, Effect, FileSystem, Layer, Option, References, Schema } from "effect"
import { TestClock } from "effect/testing"
import { randomUUID } from "node:crypto"
import { desiredApp } from "../fixtures/DesiredApps.ts"
import { golden } from "../fixtures/golden.ts"

const app = desiredApp()
const now = Date.parse("2026-03-04T05:06:07Z")

const facts = (podId: string): SnapshotFacts => ({
  workspaceId: app.workspaceId,
  projectId: app.projectId,
  environment: app.environment,
  serviceId: app.serviceId,
  process: app.processes[0]!.name,
  podId,
  phase: "Running",
  tier: app.tier,
  cpuMillicores: 250,
  memoryMebibytes: 512,
  snapshotTimestamp: minuteOf(now)
})

const pods = (count: number): ReadonlyArray<PodSnapshot> =>
  Array.from({ length: count }, () => withId(facts(randomUUID())))

const buffer = (folder: string, overrides: Partial<ShuttleConfig.Settings> = {}) =>
  SnapshotBuffer.SnapshotBuffer.pipe(
    Effect.provide(
      SnapshotBuffer.layer.pipe(
        Layer.provide(StateKey.layer),
        Layer.provide(
          ShuttleConfig.layerTest({
            dataDirectory: folder,
            stateKeyFile: `${folder}/state.key`,
            ...overrides
          })
        )
      )
    )
  )

const inFolder = <A, E>(
  use: (folder: string, fs: FileSystem.FileSystem) => Effect.Effect<A, E, NodeServices.NodeServices>
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(now)
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "shuttle-snapshots-" })
    return yield* use(folder, fs)
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.merge(NodeServices.layer, Layer.succeed(References.MinimumLogLevel)("None")))
  )

/** All that is held, oldest first, and no more. */
const drained = (from: SnapshotBuffer.SnapshotBuffer["Service"]) =>
  Effect.gen(function* () {
    const found: Array<ReadonlyArray<PodSnapshot>> = []
    for (let next = yield* from.oldest; Option.isSome(next); next = yield* from.oldest) {
      found.push(yield* from.read(next.value))
      yield* from.remove(next.value)
    }
    return found
  })

describe("SnapshotBuffer", () => {
  it.effect("INV-STO-4 holds what was appended across restarts, in order, until it is removed", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const [first, second] = [pods(3), pods(2)]
        const before = yield* buffer(folder)
        yield* before.append(first)
        yield* before.append(second)
        const after = yield* buffer(folder)
        assert.deepStrictEqual(yield* drained(after), [first, second])
        assert.deepStrictEqual(yield* drained(yield* buffer(folder)), [])
      })
    )
  )

  it.effect("INV-STO-3 gives what was read and not removed again after a crash", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const batch = pods(1)
        const before = yield* buffer(folder)
        yield* before.append(batch)
        yield* before.read(Option.getOrThrow(yield* before.oldest))
        assert.deepStrictEqual(yield* drained(yield* buffer(folder)), [batch])
      })
    )
  )

  it.effect("splits a sweep into parts that Starbase takes", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const all = pods(snapshotsMax + 1)
        const held = yield* buffer(folder)
        yield* held.append(all)
        const parts = yield* drained(held)
        assert.deepStrictEqual(
          parts.map(({ length }) => length),
          [snapshotsMax, 1]
        )
        assert.deepStrictEqual(parts.flat(), all)
      })
    )
  )

  it.effect("drops the oldest beyond its bytes and beyond its age, and keeps the rest", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const narrow = yield* buffer(folder, { snapshotBufferBytesMax: 1000 })
        const appended = [pods(1), pods(1), pods(1), pods(1)]
        for (const each of appended) yield* narrow.append(each)
        const kept = yield* drained(narrow)
        assert.isAbove(kept.length, 0)
        assert.isBelow(kept.length, appended.length)
        assert.deepStrictEqual(kept, appended.slice(-kept.length))

        const forgetful = yield* buffer(folder, { snapshotBufferAgeMax: Duration.hours(1) })
        const [old, fresh] = [pods(1), pods(1)]
        yield* forgetful.append(old)
        yield* TestClock.adjust("61 minutes")
        yield* forgetful.append(fresh)
        assert.deepStrictEqual(yield* drained(forgetful), [fresh])
      })
    )
  )

  it.effect("seals each segment under its own name", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const held = yield* buffer(folder)
        yield* held.append(pods(1))
        yield* held.append(pods(1))
        const [one = "", other = ""] = (yield* fs.readDirectory(`${folder}/snapshots`)).sort()
        const bytes = yield* fs.readFile(`${folder}/snapshots/${one}`)
        assert.notInclude(Buffer.from(bytes).toString("latin1"), app.projectId)
        yield* fs.copyFile(`${folder}/snapshots/${one}`, `${folder}/snapshots/${other}`)
        const restarted = yield* buffer(folder)
        yield* restarted.remove(Option.getOrThrow(yield* restarted.oldest))
        const error = yield* Effect.flip(restarted.read(Option.getOrThrow(yield* restarted.oldest)))
        assert.strictEqual(error._tag, "StateNotOpened")
      })
    )
  )

  it.effect("holds in memory what the disk does not take", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const held = yield* buffer(folder)
        yield* fs.remove(`${folder}/snapshots`, { recursive: true })
        const batch = pods(2)
        yield* held.append(batch)
        assert.deepStrictEqual(yield* drained(held), [batch])
      })
    )
  )

  it.effect("throws away what a crash left half written", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        yield* buffer(folder)
        yield* fs.writeFileString(`${folder}/snapshots/000000000000001-0000-1.sealed.new`, "half")
        assert.deepStrictEqual(yield* drained(yield* buffer(folder)), [])
        assert.deepStrictEqual(yield* fs.readDirectory(`${folder}/snapshots`), [])
      })
    )
  )

  it("writes and reads its stored form as ever", () => {
    const stored = {
      version: 1 as const,
      snapshots: [facts("33333333-3333-4333-8333-333333333333")]
    }
    const text = `${JSON.stringify(Schema.encodeSync(StoredSnapshots)(stored), null, 2)}\n`
    const reviewed = golden(new URL("./__golden__/StoredSnapshots.v1.json", import.meta.url), text)
    assert.strictEqual(text, reviewed)
    assert.deepStrictEqual(Schema.decodeUnknownSync(StoredSnapshots)(JSON.parse(reviewed)), stored)
  })
})
