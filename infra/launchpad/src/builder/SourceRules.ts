/** What a source may not contain, in words: pure. */
import { PlanRefused } from "./PlanRefused.ts"
import type { SourceListing } from "./SourceListing.ts"

/** @errors as a value: SourceInvalid for a tree without files, SubmoduleRefused for declared submodules */
export const refusedSource = ({ files, texts }: SourceListing): PlanRefused | undefined => {
  if (files.size === 0) {
    return new PlanRefused({
      code: "SourceInvalid",
      reason: "the commit has no files",
      advice: "Add the app's files, commit, and push again."
    })
  }
  const submodule = /^\s*path\s*=\s*(.+?)\s*$/m.exec(texts.get(".gitmodules") ?? "")?.[1]
  if (submodule !== undefined) {
    return new PlanRefused({
      code: "SubmoduleRefused",
      reason: `${submodule} is a Git submodule; only the pushed repository itself is built`,
      advice: "Copy the submodule's files into the repository, or use it as a package."
    })
  }
  return undefined
}

/** A pointer is shorter than this. @source git-lfs specification, "The Pointer" */
export const lfsPointerBytesMax = 1024

const lfsPointerStart = "version https://git-lfs.github.com/spec/"

export const isLfsPointer = (text: string): boolean => text.startsWith(lfsPointerStart)

export const lfsRefused = (path: string): PlanRefused =>
  new PlanRefused({
    code: "LfsPointer",
    reason: `${path} is a Git LFS pointer, not the file itself; Git LFS is not supported`,
    advice: "Commit the file itself (git lfs migrate export), or fetch it in the build."
  })
