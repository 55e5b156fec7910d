/** An archive into a fresh folder (INV-IMG-2). Nobody else may have access to the folder meanwhile. */
import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Tar from "effect/encoding/Tar"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { DiskFull } from "@starform/starbase/storage/BlobStore"
import { containedTarget, isWhiteout, normalisedPath } from "./internal/treePath.ts"
import { attempt, errnoOf, TreeRefused, type TreeUnavailable } from "./TreeErrors.ts"

export interface UnpackOptions {
  /** Must exist and be empty. */
  readonly root: string
  /** Everything is given to this user; `null` leaves it to the process's own. */
  readonly owner: { readonly uid: number; readonly gid: number } | null
  /** Files get no write bit. */
  readonly readOnly: boolean
  readonly bytesMax: number
  readonly entriesMax: number
}

interface PlacedFile {
  readonly path: string
  readonly mode: number
  readonly bytes: Uint8Array
}

type UnpackError = TreeRefused | TreeUnavailable | DiskFull

/** Files up to this size are collected and written several at once; larger ones are streamed one by one. */
const wholeFileBytesMax = 1024 * 1024
const filesAtOnce = 16

/** Fails with the archive's own error too, e.g. when a blob turns out to be damaged at its end. */
export const unpackTree = <E, R>(
  archive: Stream.Stream<Uint8Array, E, R>,
  options: UnpackOptions
): Effect.Effect<void, UnpackError | E, R> =>
  Effect.suspend(() => {
    const { root, owner } = options
    const links: Array<{ readonly path: string; readonly target: string }> = []
    const seen = new Map<string, Tar.EntryType>([["", "Directory"]])
    let bytes = 0

    const refuse = (path: string, problem: TreeRefused["problem"]) =>
      Effect.fail(new TreeRefused({ path, problem }))

    const attemptPath = <A>(run: () => Promise<A>): Effect.Effect<A, UnpackError> =>
      Effect.mapError(attempt("unpack", run), (error) =>
        error._tag === "TreeUnavailable" && errnoOf(error.cause) === "ENAMETOOLONG"
          ? new TreeRefused({ path: "", problem: "pathTooLong" })
          : error
      )

    const makeDirectory = (path: string): Effect.Effect<void, UnpackError> =>
      Effect.suspend(() => {
        const present = seen.get(path)
        if (present === "Directory") return Effect.void
        if (present !== undefined) return refuse(path, "duplicate")
        seen.set(path, "Directory")
        if (seen.size > options.entriesMax) return refuse("", "tooManyEntries")
        return Effect.andThen(
          makeDirectory(parentOf(path)),
          attemptPath(async () => {
            await Fs.mkdir(join(root, path))
            await Fs.chmod(join(root, path), 0o755)
            if (owner !== null) await Fs.lchown(join(root, path), owner.uid, owner.gid)
          })
        )
      })

    const write = <E2, R2>(
      path: string,
      mode: number,
      content: (handle: Fs.FileHandle) => Effect.Effect<void, E2, R2>
    ) =>
      Effect.acquireUseRelease(
        attemptPath(() => Fs.open(join(root, path), "wx", 0o600)),
        (handle) =>
          Effect.andThen(
            content(handle),
            attempt("unpack", async () => {
              await handle.chmod(mode)
              if (owner !== null) await handle.chown(owner.uid, owner.gid)
            })
          ),
        (handle) => Effect.promise(() => handle.close())
      )

    const place = Effect.fnUntraced(function* ({ header, body }: Tar.Entry<Tar.TarError | E, R>) {
      const path = normalisedPath(header.path)
      if (path === undefined) return yield* refuse(header.path, "badPath")
      if (header.type === "Directory") {
        yield* makeDirectory(path)
        return []
      }
      if (header.type !== "File" && header.type !== "Symlink") return yield* refuse(path, "specialFile")
      if (isWhiteout(path)) return yield* refuse(path, "reservedName")
      if (seen.has(path)) return yield* refuse(path, "duplicate")
      yield* makeDirectory(parentOf(path))
      seen.set(path, header.type)
      bytes += header.size
      if (seen.size > options.entriesMax) return yield* refuse("", "tooManyEntries")
      if (bytes > options.bytesMax) return yield* refuse("", "tooManyBytes")
      if (header.type === "Symlink") {
        const target = containedTarget(path, header.linkTarget ?? "")
        if (target === undefined) return yield* refuse(path, "linkLeavesTree")
        links.push({ path, target })
        return []
      }
      const mode = modeOf(header.mode, options.readOnly)
      if (header.size <= wholeFileBytesMax) {
        const chunks = yield* Stream.runCollect(body)
        return [{ path, mode, bytes: Buffer.concat(chunks) } satisfies PlacedFile]
      }
      yield* write(path, mode, (handle) =>
        Stream.runForEach(body, (chunk) => attempt("unpack", () => handle.writeFile(chunk)))
      )
      return []
    })

    const files = archive.pipe(
      Stream.pipeThroughChannelOrFail(Tar.decode<E>()),
      Stream.mapEffect(place),
      Stream.flattenIterable
    )
    return files.pipe(
      Stream.mapEffect(
        ({ path, mode, bytes }) =>
          write(path, mode, (handle) => attempt("unpack", () => handle.writeFile(bytes))),
        {
          concurrency: filesAtOnce
        }
      ),
      Stream.runDrain,
      Effect.andThen(
        Effect.forEach(
          links,
          ({ path, target }) =>
            attemptPath(async () => {
              await Fs.symlink(target, join(root, path))
              if (owner !== null) await Fs.lchown(join(root, path), owner.uid, owner.gid)
            }),
          { concurrency: filesAtOnce, discard: true }
        )
      ),
      Effect.catchTag("TarError", () => refuse("", "malformedArchive"))
    )
  })

const parentOf = (path: string): string => {
  const parent = dirname(path)
  return parent === "." ? "" : parent
}

const modeOf = (mode: number, readOnly: boolean): number => {
  const isExecutable = (mode & 0o100) !== 0
  if (readOnly) return isExecutable ? 0o555 : 0o444
  return isExecutable ? 0o755 : 0o644
}
