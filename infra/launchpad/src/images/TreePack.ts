/** A folder as a deterministic tar (INV-IMG-1): sorted entries, no times, no owners, two modes. */
import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Tar from "effect/encoding/Tar"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { DiskFull } from "@starform/starbase/storage/BlobStore"
import { containedTarget, isWhiteout } from "./internal/treePath.ts"
import { attempt, refusingUnreadable, TreeRefused, TreeUnavailable } from "./TreeErrors.ts"
import type { TreeEntry } from "./TreeListing.ts"

export interface PackOptions {
  readonly root: string
  /** As `listTree` found them. */
  readonly entries: ReadonlyArray<TreeEntry>
  /** Folder inside the archive, e.g. `app`; its parents become entries too. */
  readonly prefix: string
  /** Every entry must belong to this user (INV-IMG-6); `null` does not ask. */
  readonly ownerUid: number | null
}

type PackError = TreeRefused | TreeUnavailable | DiskFull

type PackedEntry = Tar.Entry<PackError>

/** Files up to this size are read whole, several at once. */
const wholeFileBytesMax = 1024 * 1024
const filesAtOnce = 16
const readBytes = 256 * 1024

const openFile = (root: string, path: string) =>
  Effect.acquireRelease(
    attempt("read", () => Fs.open(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW)).pipe(
      refusingUnreadable(root)
    ),
    (handle) => Effect.promise(() => handle.close())
  )

const readFile = (root: string, path: string) =>
  Effect.scoped(Effect.flatMap(openFile(root, path), (handle) => attempt("read", () => handle.readFile())))

const streamFile = (root: string, path: string): Stream.Stream<Uint8Array, PackError> =>
  Stream.unwrap(
    Effect.map(openFile(root, path), (handle) =>
      Stream.paginate(0, (position: number) =>
        Effect.map(
          attempt("read", () => handle.read(Buffer.allocUnsafe(readBytes), 0, readBytes, position)),
          ({ buffer, bytesRead }) => [
            bytesRead === 0 ? [] : [buffer.subarray(0, bytesRead)],
            bytesRead === 0 ? Option.none<number>() : Option.some(position + bytesRead)
          ]
        )
      )
    )
  )

const packed = (options: PackOptions, entry: TreeEntry): Effect.Effect<PackedEntry, PackError> => {
  const refuse = (problem: TreeRefused["problem"]) =>
    Effect.fail(new TreeRefused({ path: entry.path, problem }))
  const place = `${options.prefix}/${entry.path}`
  const mode = entry.isExecutable ? 0o755 : 0o644
  if (isWhiteout(entry.path)) return refuse("reservedName")
  if (options.ownerUid !== null && entry.ownerUid !== options.ownerUid) return refuse("foreignOwner")
  switch (entry.kind) {
    case "directory":
      return Effect.succeed(Tar.directory(place))
    case "special":
      return refuse("specialFile")
    case "link": {
      const target = containedTarget(entry.path, entry.target)
      return target === undefined ? refuse("linkLeavesTree") : Effect.succeed(Tar.symlink(place, target))
    }
    case "file":
      return entry.sizeBytes <= wholeFileBytesMax
        ? Effect.map(readFile(options.root, entry.path), (bytes): PackedEntry =>
            Tar.file(place, bytes, { mode })
          )
        : Effect.succeed(
            Tar.fileStream(place, entry.sizeBytes, streamFile(options.root, entry.path), { mode })
          )
  }
}

const parentsOf = (prefix: string): ReadonlyArray<PackedEntry> =>
  prefix.split("/").map((_, depth, names) => Tar.directory(names.slice(0, depth + 1).join("/")))

/** The archive's bytes; each run reads the files anew. */
export const packTree = (options: PackOptions): Stream.Stream<Uint8Array, PackError> =>
  Stream.fromIterable(options.entries).pipe(
    Stream.mapEffect((entry) => packed(options, entry), { concurrency: filesAtOnce }),
    (entries) => Stream.concat(Stream.fromIterable(parentsOf(options.prefix)), entries),
    Stream.pipeThroughChannelOrFail(Tar.encode<PackError, unknown, PackedEntry>()),
    Stream.catchTag("TarError", (cause) => Stream.fail(new TreeUnavailable({ operation: "pack", cause })))
  )
