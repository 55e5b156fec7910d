/** The key of everything that the agent keeps on disk: a file of its own, made when it is missing. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { keyBytes, newKey } from "./StateCipher.ts"

/** A file or folder of the agent's state cannot be used. */
export class StateFileUnusable extends Schema.TaggedError<StateFileUnusable>()("StateFileUnusable", {
  file: Schema.String,
  problem: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message() {
    return `${this.file}: ${this.problem}`
  }
}

export const unusable = (file: string, problem: string) => (cause: unknown) =>
  new StateFileUnusable({ file, problem, cause })

export class StateKey extends Context.Service<StateKey, Uint8Array>()("@starform/shuttle/storage/StateKey") {}

/** A key file that holds something else is never overwritten. */
const make = Effect.gen(function* () {
  const { stateKeyFile: file } = yield* ShuttleConfig
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const isThere = yield* fs.exists(file).pipe(Effect.mapError(unusable(file, "cannot be looked at")))
  if (!isThere) {
    const hex = Buffer.from(newKey()).toString("hex")
    yield* fs
      .makeDirectory(path.dirname(file), { recursive: true, mode: 0o700 })
      .pipe(
        Effect.andThen(fs.writeFileString(file, `${hex}\n`, { mode: 0o600, flag: "wx" })),
        Effect.mapError(unusable(file, "cannot be made"))
      )
  }
  const text = yield* fs.readFileString(file).pipe(Effect.mapError(unusable(file, "cannot be read")))
  const key = Buffer.from(text.trim(), "hex")
  if (key.length !== keyBytes) {
    return yield* new StateFileUnusable({ file, problem: `does not hold ${keyBytes} bytes as hex` })
  }
  return StateKey.of(key)
})

export const layer: Layer.Layer<
  StateKey,
  StateFileUnusable,
  ShuttleConfig | FileSystem.FileSystem | Path.Path
> = Layer.effect(StateKey)(make)
