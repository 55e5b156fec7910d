/** Credentials in a file of the data directory, for an agent whose disk stays: a process beside Starbase, a pod with a volume. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { ShuttleConfig } from "../ShuttleConfig.ts"
import { CredentialNotKept, CredentialStore } from "./CredentialStore.ts"
import { empty, StoredCredential } from "./StoredCredential.ts"

const codec = Schema.fromJsonString(StoredCredential)
const decode = Schema.decodeUnknownEffect(codec)
const encode = Schema.encodeEffect(codec)

const make = Effect.gen(function* () {
  const { dataDirectory } = yield* ShuttleConfig
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(dataDirectory, "agent-credential")
  const turn = yield* Semaphore.make(1)
  const notKept = (problem: string) => (cause: unknown) =>
    new CredentialNotKept({ place: file, problem, cause })

  const load = Effect.gen(function* () {
    if (!(yield* fs.exists(file).pipe(Effect.mapError(notKept("cannot be looked at"))))) return empty
    const text = yield* fs.readFileString(file).pipe(Effect.mapError(notKept("cannot be read")))
    // The cause would quote what it could not read.
    return yield* decode(text).pipe(
      Effect.mapError(() => new CredentialNotKept({ place: file, problem: "holds something else" }))
    )
  })

  /** Replaced as a whole: a crash leaves the old one or the new one. */
  const save = Effect.fnUntraced(
    function* (stored: StoredCredential) {
      const text = yield* Effect.orDie(encode(stored))
      const temporary = `${file}.new`
      yield* fs.makeDirectory(dataDirectory, { recursive: true, mode: 0o700 })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const handle = yield* fs.open(temporary, { flag: "w", mode: 0o600 })
          yield* handle.writeAll(Buffer.from(`${text}\n`))
          yield* handle.sync
        })
      )
      yield* fs.rename(temporary, file)
    },
    Effect.mapError(notKept("cannot be written"))
  )

  return CredentialStore.of({
    load,
    update: (change) =>
      Effect.gen(function* () {
        const before = yield* load
        const after = change(before)
        if (after !== before) yield* save(after)
        return after
      }).pipe(Semaphore.withPermit(turn))
  })
})

export const layer: Layer.Layer<CredentialStore, never, ShuttleConfig | FileSystem.FileSystem | Path.Path> =
  Layer.effect(CredentialStore)(make)
