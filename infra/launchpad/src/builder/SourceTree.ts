/** The pushed tree on disk, and what detectors may see of it. */
import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import type { Digest } from "@starform/domain/ids/Digest"
import { BuilderUnavailable } from "@starform/starbase/builds/BuildErrors"
import { BlobStore, type DiskFull } from "@starform/starbase/storage/BlobStore"
import { attempt, refusingUnreadable, type TreeRefused, type TreeUnavailable } from "../images/TreeErrors.ts"
import { listTree, type TreeEntry } from "../images/TreeListing.ts"
import { unpackTree } from "../images/TreeUnpack.ts"
import type { BuildUser } from "./BuildUsers.ts"
import { HostBuilderConfig } from "./HostBuilderConfig.ts"
import { PlanRefused } from "./PlanRefused.ts"
import { readFiles, type SourceListing } from "./SourceListing.ts"
import { isLfsPointer, lfsPointerBytesMax, lfsRefused, refusedSource } from "./SourceRules.ts"

/** A detector reads no more of a file than this. */
const readBytesMax = 32 * 1024 ** 2

const invalid = (reason: string) =>
  new PlanRefused({
    code: "SourceInvalid",
    reason: `the source cannot be used: ${reason}`,
    advice: "Correct the repository and push again."
  })

const refusedTree = (error: TreeRefused): PlanRefused =>
  error.problem === "linkLeavesTree"
    ? new PlanRefused({
        code: "UnsafeLink",
        reason: `${error.path} is a link to something outside the repository`,
        advice: "Replace the link by the file itself, or by a relative link inside the repository."
      })
    : invalid(error.message)

type SourceError = PlanRefused | BuilderUnavailable | DiskFull

const translated = <A, R>(
  effect: Effect.Effect<A, SourceError | TreeRefused | TreeUnavailable, R>
): Effect.Effect<A, SourceError, R> =>
  effect.pipe(
    Effect.catchTags({
      TreeRefused: (error) => Effect.fail(refusedTree(error)),
      TreeUnavailable: (cause) =>
        Effect.fail(new BuilderUnavailable({ operation: "unpack the source", cause }))
    })
  )

/** Unpacks a tar from the blob store into the empty folder `root` and gives it to `owner`. */
export const unpackSource: (
  source: Digest,
  root: string,
  owner: BuildUser | null
) => Effect.Effect<void, SourceError, BlobStore | HostBuilderConfig> = Effect.fn("unpackSource")(
  function* (source, root, owner) {
    const { sourceBytesMax, sourceEntriesMax } = yield* HostBuilderConfig
    const blobs = yield* BlobStore
    yield* unpackTree(blobs.get(source), {
      root,
      owner,
      readOnly: false,
      bytesMax: sourceBytesMax,
      entriesMax: sourceEntriesMax
    }).pipe(
      Effect.catchTags({
        BlobNotFound: (cause) => Effect.fail(new BuilderUnavailable({ operation: "find the source", cause })),
        BlobCorrupt: (cause) => Effect.fail(new BuilderUnavailable({ operation: "read the source", cause })),
        BlobStoreUnavailable: (cause) =>
          Effect.fail(new BuilderUnavailable({ operation: "read the source", cause }))
      }),
      translated
    )
  }
)

const listingOf = (root: string, entries: ReadonlyArray<TreeEntry>) =>
  Effect.gen(function* () {
    const files = new Set(entries.flatMap(({ kind, path }) => (kind === "file" ? [path] : [])))
    const parents = new Set(entries.map(({ path }) => dirname(path)))
    const emptyFolders = entries.flatMap(({ kind, path }) =>
      kind === "directory" && !parents.has(path) ? [path] : []
    )
    const wanted = entries.filter(
      ({ kind, path, sizeBytes }) => kind === "file" && readFiles.includes(path) && sizeBytes <= readBytesMax
    )
    const texts = yield* Effect.forEach(wanted, ({ path }) =>
      Effect.map(
        refusingUnreadable(root)(attempt("read", () => Fs.readFile(join(root, path), "utf8"))),
        (text) => [path, text] as const
      )
    )
    return { files, emptyFolders, texts: new Map(texts) }
  })

const isOwnFile = (path: string): boolean => path !== "node_modules"

/** The tree as it is now; `node_modules` at the root is not looked at. */
export const listSource = (root: string): Effect.Effect<SourceListing, SourceError> =>
  listTree(root, isOwnFile).pipe(
    Effect.flatMap((entries) => listingOf(root, entries)),
    translated
  )

/** The pushed tree. @errors PlanRefused for what a source may not contain */
export const checkedSource = (root: string): Effect.Effect<SourceListing, SourceError> =>
  Effect.gen(function* () {
    const entries = yield* listTree(root, isOwnFile)
    const listing = yield* listingOf(root, entries)
    const refused = refusedSource(listing)
    if (refused !== undefined) return yield* refused
    const small = entries.filter(
      ({ kind, sizeBytes }) => kind === "file" && sizeBytes > 0 && sizeBytes < lfsPointerBytesMax
    )
    yield* Effect.forEach(
      small,
      ({ path }) =>
        attempt("read", () => Fs.readFile(join(root, path), "latin1")).pipe(
          Effect.flatMap((text) => (isLfsPointer(text) ? Effect.fail(lfsRefused(path)) : Effect.void))
        ),
      { concurrency: 32, discard: true }
    )
    return listing
  }).pipe(translated)
