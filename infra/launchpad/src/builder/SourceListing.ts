/** What detectors may look at: which files there are, and the text of the few that say how an app is built. */
export interface SourceListing {
  /** Every file, relative to the root; `node_modules` at the root is left out. */
  readonly files: ReadonlySet<string>
  /** Folders with nothing in them, relative to the root. Git has none; its archives have one where a submodule is. */
  readonly emptyFolders: ReadonlyArray<string>
  /** Text of those of `readFiles` that exist. */
  readonly texts: ReadonlyMap<string, string>
}

/** Files whose text detectors read. */
export const readFiles: ReadonlyArray<string> = [
  "starform.json",
  "Procfile",
  "package.json",
  "package-lock.json",
  "npm-shrinkwrap.json",
  ".npmrc",
  ".gitmodules"
]
