import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stream from "effect/Stream"

const linesMax = 12
const bytesMax = 8_192

/** Size of the file in bytes; 0 when it does not exist. */
export const sizeBytes = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs.stat(file).pipe(
    Effect.map((info) => Number(info.size)),
    Effect.orElseSucceed(() => 0)
  )
})

/** The last lines of a log that were written after byte `from`; none when it cannot be read. */
export const lastLines = Effect.fnUntraced(function* (file: string, from: number) {
  const fs = yield* FileSystem.FileSystem
  const offset = Math.max(from, (yield* sizeBytes(file)) - bytesMax)
  const text = yield* fs.stream(file, { offset }).pipe(
    Stream.decodeText(),
    Stream.mkString,
    Effect.orElseSucceed(() => "")
  )
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-linesMax)
})
