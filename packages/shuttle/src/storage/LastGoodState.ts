/** Keeps the last good document on disk; see README for the format and what a crash leaves. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import type { DocumentRejected, HeldDocument } from "../starbase/DesiredDocument.ts"
import { open, seal, StateNotOpened } from "./StateCipher.ts"
import { type StateFileUnusable, StateKey, unusable } from "./StateKey.ts"
import { fromStored, StoredDocument, toStored } from "./StoredDocument.ts"

export class LastGoodState extends Context.Service<
  LastGoodState,
  {
    /** `None` when there is none yet. */
    readonly load: Effect.Effect<
      Option.Option<HeldDocument>,
      StateFileUnusable | StateNotOpened | DocumentRejected
    >
    /** Replaces what is stored; on return it is on disk. */
    readonly save: (held: HeldDocument) => Effect.Effect<void, StateFileUnusable>
  }
>()("@starform/shuttle/storage/LastGoodState") {}

const codec = Schema.fromJsonString(StoredDocument)
const encode = Schema.encodeEffect(codec)
const decode = Schema.decodeUnknownEffect(codec)

const make = Effect.gen(function* () {
  const settings = yield* ShuttleConfig
  const key = yield* StateKey
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const { clusterId, dataDirectory } = settings
  const file = path.join(dataDirectory, "desired-state.sealed")
  yield* fs
    .makeDirectory(dataDirectory, { recursive: true, mode: 0o700 })
    .pipe(Effect.mapError(unusable(dataDirectory, "cannot be made")))

  const load = Effect.gen(function* () {
    const isThere = yield* fs.exists(file).pipe(Effect.mapError(unusable(file, "cannot be looked at")))
    if (!isThere) return Option.none<HeldDocument>()
    const sealed = yield* fs.readFile(file).pipe(Effect.mapError(unusable(file, "cannot be read")))
    const text = yield* open(key, clusterId, sealed)
    const stored = yield* decode(text).pipe(
      Effect.mapError((cause) => new StateNotOpened({ problem: "it was stored by another version", cause }))
    )
    return Option.some(yield* Effect.fromResult(fromStored(stored, clusterId, settings)))
  }).pipe(Effect.withSpan("LastGoodState.load"))

  const save = Effect.fn("LastGoodState.save")(function* (held: HeldDocument) {
    const text = yield* encode(toStored(held, clusterId)).pipe(
      Effect.mapError(unusable(file, "the held document cannot be written down"))
    )
    const temporary = `${file}.new`
    yield* Effect.scoped(
      Effect.gen(function* () {
        const handle = yield* fs.open(temporary, { flag: "w", mode: 0o600 })
        yield* handle.writeAll(seal(key, clusterId, text))
        yield* handle.sync
      })
    ).pipe(Effect.andThen(fs.rename(temporary, file)), Effect.mapError(unusable(file, "cannot be written")))
  })

  return LastGoodState.of({ load, save })
})

export const layer: Layer.Layer<
  LastGoodState,
  StateFileUnusable,
  ShuttleConfig | StateKey | FileSystem.FileSystem | Path.Path
> = Layer.effect(LastGoodState)(make)
