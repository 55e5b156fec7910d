/** Rules about the tracked files as such, which no compiler or linter looks at. Prints each breach; exit status 1 if any. */
import { execFileSync } from "node:child_process"
import { readFileSync, statSync } from "node:fs"
import { homedir } from "node:os"
import { basename, join } from "node:path"

const lockfile = /(^|\/)(pnpm-lock\.yaml|package-lock\.json|npm-shrinkwrap\.json)$/
const source = /^(packages|infra)\/[^/]+\/src\//
const bannedFolders = new Set(["utils", "helpers", "common", "lib"])
const bannedFiles = new Set(["types.ts", "constants.ts", "index.ts"])
const textBytesMax = 1_000_000

/** Breaches in one file's content. */
const contentBreaches = (file: string, text: string, root: string): ReadonlyArray<string> => {
  const breaches: Array<string> = []
  if (lockfile.test(file) && /https?:\/\//.test(text)) {
    breaches.push("a lockfile names a registry or another host: install with the default registry settings")
  }
  if (basename(file) === ".npmrc" && /^\s*(@[^=]+:)?registry\s*=|_auth/m.test(text)) {
    breaches.push("a registry or a credential is nobody's business but the machine's")
  }
  const home = homedir()
  for (const path of [root, ...(home.split("/").length > 2 ? [home] : [])]) {
    if (text.includes(`${path}/`)) breaches.push(`a path of this machine (${path})`)
  }
  if (/(^|["'\s(=:])\/(home|Users)\/[a-z][\w.-]*\//m.test(text))
    breaches.push("a path in somebody's home folder")
  return breaches
}

/** Breaches in one file's name, and in names that several files share. */
const nameBreaches = (files: ReadonlyArray<string>): ReadonlyArray<string> => {
  const breaches: Array<string> = []
  const seen = new Map<string, string>()
  for (const file of files) {
    if (!source.test(file)) continue
    const parts = file.split("/").slice(3)
    const name = parts.pop() ?? ""
    for (const folder of parts) {
      if (bannedFolders.has(folder)) breaches.push(`${file}: a folder named "${folder}" says nothing`)
      if (!/^[a-z][a-z0-9-]*$/.test(folder)) breaches.push(`${file}: folder names are lower-case`)
    }
    if (bannedFiles.has(name)) breaches.push(`${file}: name the file for the one concept that it exports`)
    if (!name.endsWith(".ts") || name === "main.ts" || parts.includes("internal")) continue
    const other = seen.get(name)
    if (other !== undefined) breaches.push(`${file}: the name is taken by ${other}; names are unique`)
    seen.set(name, file)
  }
  return breaches
}

/** Every breach in the files that git tracks, or would on `git add`, below `root`. */
export const breachesIn = (root: string): ReadonlyArray<string> => {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1_048_576
  })
  const files = listed.split("\0").filter((file) => {
    const info = file === "" ? undefined : statSync(join(root, file), { throwIfNoEntry: false })
    return info?.isFile() === true && info.size <= textBytesMax
  })
  return [
    ...nameBreaches(files),
    ...files.flatMap((file) =>
      contentBreaches(file, readFileSync(join(root, file), "utf8"), root).map(
        (breach) => `${file}: ${breach}`
      )
    )
  ]
}

if (import.meta.main) {
  const breaches = breachesIn(join(import.meta.dirname, ".."))
  for (const breach of breaches) console.error(`   ${breach}`)
  process.exitCode = breaches.length === 0 ? 0 : 1
}
