/** What a folder holds, sorted by path, without following any link. */
import type { Dirent } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import type * as Effect from "effect/Effect"
import type { DiskFull } from "@starform/starbase/storage/BlobStore"
import { attempt, refusingUnreadable, type TreeRefused, type TreeUnavailable } from "./TreeErrors.ts"

export interface TreeEntry {
  /** Relative to the root, `/` between names. */
  readonly path: string
  readonly kind: "file" | "directory" | "link" | "special"
  readonly sizeBytes: number
  readonly isExecutable: boolean
  readonly ownerUid: number
  /** Of a link; otherwise empty. */
  readonly target: string
}

const kindOf = (entry: Dirent): TreeEntry["kind"] => {
  if (entry.isSymbolicLink()) return "link"
  if (entry.isDirectory()) return "directory"
  return entry.isFile() ? "file" : "special"
}

/** System calls under way at once. */
const concurrency = 32

const walk = async (root: string, wanted: (path: string) => boolean): Promise<ReadonlyArray<TreeEntry>> => {
  const entries: Array<TreeEntry> = []
  const folders = [""]
  while (folders.length > 0) {
    const found = await Promise.all(
      folders.splice(0, concurrency).map(async (folder) => {
        const names = await Fs.readdir(join(root, folder), { withFileTypes: true })
        return Promise.all(
          names.map(async (name): Promise<ReadonlyArray<TreeEntry>> => {
            const path = folder === "" ? name.name : `${folder}/${name.name}`
            if (!wanted(path)) return []
            const kind = kindOf(name)
            const info = await Fs.lstat(join(root, path))
            const target = kind === "link" ? await Fs.readlink(join(root, path)) : ""
            const isExecutable = (info.mode & 0o100) !== 0
            return [{ path, kind, sizeBytes: info.size, isExecutable, ownerUid: info.uid, target }]
          })
        )
      })
    )
    for (const entry of found.flat(2)) {
      entries.push(entry)
      if (entry.kind === "directory") folders.push(entry.path)
    }
  }
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Everything below `root` that is wanted; what is not wanted is not entered either. @errors TreeRefused for a folder that may not be read */
export const listTree = (
  root: string,
  wanted: (path: string) => boolean = () => true
): Effect.Effect<ReadonlyArray<TreeEntry>, DiskFull | TreeRefused | TreeUnavailable> =>
  refusingUnreadable(root)(attempt("list", () => walk(root, wanted)))
