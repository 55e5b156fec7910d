import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"

/** Creates the folder and those above it that are missing, open to every user whatever the umask is. */
export const makeTraversable: (path: string) => Effect.Effect<void, PlatformError, FileSystem.FileSystem> =
  Effect.fnUntraced(function* (path) {
    const fs = yield* FileSystem.FileSystem
    if (yield* fs.exists(path)) return
    yield* makeTraversable(dirname(path))
    yield* fs.makeDirectory(path, { recursive: true })
    yield* fs.chmod(path, 0o755)
  })
