/** What can go wrong between a file tree and an archive. */
import { relative } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DiskFull } from "@starform/starbase/storage/BlobStore"

/** Rules of INV-IMG-2 and INV-IMG-6, and limits. */
export const TreeProblem = Schema.Literals([
  "badPath",
  "pathTooLong",
  "linkLeavesTree",
  "specialFile",
  "duplicate",
  "reservedName",
  "foreignOwner",
  "unreadable",
  "tooManyEntries",
  "tooManyBytes",
  "malformedArchive"
])
export type TreeProblem = typeof TreeProblem.Type

const sentences: Record<TreeProblem, string> = {
  badPath: "the path leaves the tree or cannot be written",
  pathTooLong: "a path is longer than this host allows",
  linkLeavesTree: "the link points outside the tree",
  specialFile: "only files, directories and symbolic links are possible",
  duplicate: "the path occurs twice",
  reservedName: "names that begin with .wh. have a meaning of their own in images",
  foreignOwner: "the file belongs to another user",
  unreadable: "its permissions forbid reading it",
  tooManyEntries: "the tree has too many files",
  tooManyBytes: "the tree is too large",
  malformedArchive: "the archive cannot be read"
}

/** The tree or archive itself is at fault; a repeat fails again. */
export class TreeRefused extends Schema.TaggedError<TreeRefused>()("TreeRefused", {
  /** Relative to the tree; empty when it is about the tree as a whole. */
  path: Schema.String,
  problem: TreeProblem
}) {
  override get message() {
    return this.path === "" ? sentences[this.problem] : `${this.path}: ${sentences[this.problem]}`
  }
}

/** The host's file system did not do it. */
export class TreeUnavailable extends Schema.TaggedError<TreeUnavailable>()("TreeUnavailable", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `file tree: ${this.operation} failed`
  }
}

/** The `errno` name of a Node.js error, e.g. `ENOENT`. */
export const errnoOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined

const pathOf = (cause: unknown): string =>
  cause instanceof Error && "path" in cause && typeof cause.path === "string" ? cause.path : ""

/** Says which path below `root` it is whose permissions keep a user other than root from reading it. */
export const refusingUnreadable =
  (root: string) =>
  <A, R>(
    effect: Effect.Effect<A, DiskFull | TreeUnavailable, R>
  ): Effect.Effect<A, DiskFull | TreeUnavailable | TreeRefused, R> =>
    Effect.mapError(effect, (error) =>
      error._tag === "TreeUnavailable" && errnoOf(error.cause) === "EACCES"
        ? new TreeRefused({ path: relative(root, pathOf(error.cause)), problem: "unreadable" })
        : error
    )

/** Runs a file system call. @errors DiskFull when there is no room; TreeUnavailable for everything else */
export const attempt = <A>(
  operation: string,
  run: () => Promise<A>
): Effect.Effect<A, DiskFull | TreeUnavailable> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => {
      const errno = errnoOf(cause)
      return errno === "ENOSPC" || errno === "EDQUOT"
        ? new DiskFull({ operation })
        : new TreeUnavailable({ operation, cause })
    }
  })
