/** How a built tree is started: pure, over what is there after the build. */
import { posix } from "node:path"
import * as Result from "effect/Result"
import { ProcessName } from "@starform/domain/ids/Slug"
import type { ReleaseProcess } from "@starform/domain/model/Release"
import type { PackageJson } from "./PackageJson.ts"
import { PlanRefused } from "./PlanRefused.ts"
import { shellCommand } from "./ShellCommand.ts"
import type { SourceListing } from "./SourceListing.ts"

/** What the source declares, before anything is derived. */
export interface StartDeclaration {
  /** From `starform.json` and the Procfile. */
  readonly processes: ReadonlyMap<ProcessName, string>
  readonly packageJson: PackageJson | undefined
  /** A build command runs: a folder that it fills is the site, rather than what lies at the root. */
  readonly isBuilt: boolean
}

export interface Start {
  /** `web` first. */
  readonly processes: ReadonlyArray<ReleaseProcess>
  /** Folder of a static site that the platform's own server serves; `null` when the app serves itself. */
  readonly site: string | null
}

const web = ProcessName.make("web")

/** Entry files of a Node.js app without a start script, in order. */
const entryFiles = ["server.js", "server.mjs", "index.js", "index.mjs", "app.js"]

/** Folders in which an `index.html` makes a static site, in order of preference; `.` is the root. */
const siteFolders = (isBuilt: boolean): ReadonlyArray<string> =>
  isBuilt
    ? ["dist", "build", "out", "_site", "public", "."]
    : [".", "public", "dist", "build", "out", "_site"]

export const siteFolderNames = siteFolders(false).join(", ").replace(".", "the root")

/** The site's folder; `null` when there is none. */
export const siteFolder = (source: SourceListing, isBuilt: boolean): string | null =>
  siteFolders(isBuilt).find((folder) => source.files.has(posix.join(folder, "index.html"))) ?? null

const entryFile = ({ main }: PackageJson, source: SourceListing): string | undefined => {
  const named = main === undefined ? [] : [main, `${main}.js`, posix.join(main, "index.js")]
  return [...named, ...entryFiles].map(posix.normalize).find((file) => source.files.has(file))
}

const nodeWeb = (declared: PackageJson, source: SourceListing): ReadonlyArray<string> | undefined => {
  const { scripts = {} } = declared
  const start = scripts["start"]
  if (start !== undefined && start.trim() !== "") {
    const needsNpm =
      scripts["prestart"] !== undefined || scripts["poststart"] !== undefined || start.includes("npm_")
    return shellCommand(needsNpm ? "npm start" : start)
  }
  const entry = entryFile(declared, source)
  return entry === undefined ? undefined : ["node", entry]
}

const missing = () =>
  new PlanRefused({
    code: "MissingStartCommand",
    reason: `no start command: looked for web in the Procfile and starform.json, a start script and main in package.json, ${entryFiles.join(", ")}, and index.html in ${siteFolderNames}`,
    advice: 'Add a start script to package.json, for example "start": "node server.js".'
  })

/** @errors MissingStartCommand when nothing says how `web` starts and no other process is declared */
export const startOf = (
  declared: StartDeclaration,
  source: SourceListing
): Result.Result<Start, PlanRefused> => {
  const others = [...declared.processes].filter(([name]) => name !== web)
  const own = declared.processes.get(web)
  const found =
    own === undefined ? declared.packageJson && nodeWeb(declared.packageJson, source) : shellCommand(own)
  const workers = others.map(([name, command]) => ({ name, command: shellCommand(command) }))
  if (found !== undefined) {
    return Result.succeed({ processes: [{ name: web, command: found }, ...workers], site: null })
  }
  const site = siteFolder(source, declared.isBuilt)
  if (site !== null && workers.length === 0) {
    return Result.succeed({ processes: [{ name: web, command: siteCommand }], site })
  }
  return workers.length > 0 ? Result.succeed({ processes: workers, site: null }) : Result.fail(missing())
}

/** The server and the site are beside each other in the image. */
const siteCommand: ReadonlyArray<string> = ["/bin/sh", "-c", 'exec node static-site.mjs site "$PORT"']
