import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ClusterId } from "@starform/domain/ids/Ids"
import * as LastGoodState from "@starform/shuttle/storage/LastGoodState"
import * as StateKey from "@starform/shuttle/storage/StateKey"
import * as ShuttleConfig from "@starform/shuttle/ShuttleConfig"
import { Effect, FileSystem, Layer, Option } from "effect"
import { clusterId, desiredApp, fullState, tombstoneOf, variable } from "../fixtures/DesiredApps.ts"
import { heldDocument } from "../fixtures/SimulatedCluster.ts"
import { accept } from "@starform/shuttle/starbase/DesiredDocument"
import { Result } from "effect"

const storage = (folder: string, cluster = clusterId) =>
  LastGoodState.LastGoodState.pipe(
    Effect.provide(
      LastGoodState.layer.pipe(
        Layer.provide(StateKey.layer),
        Layer.provide(
          ShuttleConfig.layerTest({
            clusterId: cluster,
            dataDirectory: folder,
            stateKeyFile: `${folder}/keys/state.key`
          })
        )
      )
    )
  )

const inFolder = <A, E>(
  use: (folder: string, fs: FileSystem.FileSystem) => Effect.Effect<A, E, NodeServices.NodeServices>
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "shuttle-state-" })
    return yield* use(folder, fs)
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

const document = heldDocument({
  apps: [desiredApp({}, { variables: [variable("API_KEY", "hunter2-value", true)] })],
  tombstones: [tombstoneOf(desiredApp({ service: 2 }))]
})

describe("LastGoodState", () => {
  it.live("loads what was saved, across restarts", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const before = yield* storage(folder)
        assert.isTrue(Option.isNone(yield* before.load))
        yield* before.save(document)
        const after = yield* storage(folder)
        assert.deepStrictEqual(Option.getOrThrow(yield* after.load), document)
      })
    )
  )

  it.live("keeps what is held back held back across restarts", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const restored = fullState({
          epoch: "00000009",
          tombstones: document.tombstones,
          epochConfirmed: false
        })
        const held = Result.getOrThrow(accept(document, restored, clusterId, ShuttleConfig.defaults))
        assert.strictEqual(held.pruneHold, "EpochUnconfirmed")
        yield* Effect.flatMap(storage(folder), (state) => state.save(held))
        const loaded = yield* Effect.flatMap(storage(folder), (state) => state.load)
        assert.deepStrictEqual(Option.getOrThrow(loaded), held)
      })
    )
  )

  it.live("hides the document, and keeps key and document to itself", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        yield* Effect.flatMap(storage(folder), (state) => state.save(document))
        const bytes = yield* fs.readFile(`${folder}/desired-state.sealed`)
        assert.notInclude(Buffer.from(bytes).toString("latin1"), "hunter2-value")
        for (const file of ["keys/state.key", "desired-state.sealed"]) {
          assert.strictEqual((yield* fs.stat(`${folder}/${file}`)).mode & 0o777, 0o600, file)
        }
        assert.deepStrictEqual((yield* fs.readDirectory(folder)).sort(), ["desired-state.sealed", "keys"])
      })
    )
  )

  it.live("does not open what was damaged, or sealed by another key or for another cluster (INV-STO-2)", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        const file = `${folder}/desired-state.sealed`
        yield* Effect.flatMap(storage(folder), (state) => state.save(document))
        const other = ClusterId.make("c2c2c2c2-0000-4000-8000-000000000002")
        const load = (cluster = clusterId) =>
          Effect.flatMap(storage(folder, cluster), (state) => Effect.flip(state.load))
        assert.strictEqual((yield* load(other))._tag, "StateNotOpened")
        const bytes = yield* fs.readFile(file)
        yield* fs.writeFile(
          file,
          bytes.map((byte, index) => (index === 40 ? byte ^ 1 : byte))
        )
        assert.strictEqual((yield* load())._tag, "StateNotOpened")
        yield* fs.writeFile(file, new Uint8Array([1, 2, 3]))
        assert.strictEqual((yield* load())._tag, "StateNotOpened")
        yield* fs.writeFile(file, bytes)
        yield* fs.writeFileString(`${folder}/keys/state.key`, "ab".repeat(32))
        assert.strictEqual((yield* load())._tag, "StateNotOpened")
      })
    )
  )

  it.live("does not start over a key file that holds something else", () =>
    inFolder((folder, fs) =>
      Effect.gen(function* () {
        yield* fs.makeDirectory(`${folder}/keys`)
        yield* fs.writeFileString(`${folder}/keys/state.key`, "not a key")
        const error = yield* Effect.flip(storage(folder))
        assert.strictEqual(error._tag, "StateFileUnusable")
        assert.strictEqual(yield* fs.readFileString(`${folder}/keys/state.key`), "not a key")
      })
    )
  )
})
