/** What a source may not contain, in words: pure. */
import { PlanRefused } from "./PlanRefused.ts"
import type { SourceListing } from "./SourceListing.ts"

/** A path that `.gitmodules` declares and that holds no files, or a folder that only a submodule can leave empty. */
const submoduleIn = ({ files, emptyFolders, texts }: SourceListing): string | undefined => {
  const declared = [...(texts.get(".gitmodules") ?? "").matchAll(/^\s*path\s*=\s*"?(.+?)"?\s*$/gm)]
  const paths = declared.map(([, path = ""]) => path.replace(/\/+$/, ""))
  return (
    paths.find((path) => ![...files].some((file) => file.startsWith(`${path}/`))) ??
    emptyFolders.find((path) => path !== "node_modules")
  )
}

/** @errors as a value: SubmoduleRefused, SourceInvalid for a tree without files */
export const refusedSource = (source: SourceListing): PlanRefused | undefined => {
  const submodule = submoduleIn(source)
  if (submodule !== undefined) {
    return new PlanRefused({
      code: "SubmoduleRefused",
      reason: `${submodule} is a Git submodule; only the pushed repository itself is built`,
      advice: "Copy the submodule's files into the repository, or use it as a package."
    })
  }
  return source.files.size > 0
    ? undefined
    : new PlanRefused({
        code: "SourceInvalid",
        reason: "the commit has no files",
        advice: "Add the app's files, commit, and push again."
      })
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
