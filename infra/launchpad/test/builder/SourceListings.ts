/** File listings for what plans a build without a disk. */
import { type SourceListing, readFiles } from "@starform/launchpad/builder/SourceListing"

/** A source with these texts by path, and folders with nothing in them. */
export const listingOf = (
  files: Readonly<Record<string, string>>,
  emptyFolders: ReadonlyArray<string> = []
): SourceListing => ({
  files: new Set(Object.keys(files)),
  emptyFolders,
  texts: new Map(Object.entries(files).filter(([path]) => readFiles.includes(path)))
})
