/** A `package.json` at the root: a Node.js app with npm. */
import * as Result from "effect/Result"
import type { Declared, Detector, InstallPlan, Note } from "./BuildPlan.ts"
import { hasLifecycleScript, type PackageJson } from "./PackageJson.ts"
import { shellCommand } from "./ShellCommand.ts"

const isEmpty = (versions: Readonly<Record<string, string>> | undefined): boolean =>
  Object.keys(versions ?? {}).length === 0

/** Makes npm compile the app itself when it installs. @source npm documentation, "scripts", default values */
const implicitScript = "binding.gyp"

const lockfiles = ["npm-shrinkwrap.json", "package-lock.json"]

/** Lockfiles of tools that this builder does not run. */
const otherLockfiles = ["yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"]

/** The lockfile that npm would read; the first wins, as in npm. */
export const lockfileOf = ({ files }: Declared["source"]): string | undefined =>
  lockfiles.find((file) => files.has(file))

/**
 * Whether what is installed depends on more than the lockfile: dependencies from the app's own folders, or packages with
 * an install script, which may read any file of the app (a database client that is generated from the app's schema does).
 */
const readsApp = (lockfile: string): boolean =>
  /"(link|hasInstallScript)":\s*true/.test(lockfile) || /"(resolved|version)":\s*"file:/.test(lockfile)

const installPlan = ({ source }: Declared, declared: PackageJson, hasBuild: boolean): InstallPlan | null => {
  const lockfile = lockfileOf(source)
  const hasScripts = hasLifecycleScript(declared) || source.files.has(implicitScript)
  const includeDev = hasBuild || hasScripts
  const isNeeded =
    hasScripts ||
    declared.workspaces !== undefined ||
    !isEmpty(declared.dependencies) ||
    !isEmpty(declared.optionalDependencies) ||
    !isEmpty(declared.peerDependencies) ||
    (includeDev && !isEmpty(declared.devDependencies))
  if (!isNeeded) return null
  const text = lockfile === undefined ? undefined : source.texts.get(lockfile)
  return {
    command: lockfile === undefined ? "install" : "ci",
    includeDev,
    pruneDev: includeDev && !isEmpty(declared.devDependencies),
    isRepeatable: text !== undefined && !hasScripts && declared.workspaces === undefined && !readsApp(text)
  }
}

const notesOf = ({ source }: Declared, install: InstallPlan | null): ReadonlyArray<Note> => {
  const notes: Array<Note> = [{ source: "notice", text: "Node.js app (package.json)" }]
  const other = otherLockfiles.find((file) => source.files.has(file))
  if (install?.command === "install") {
    notes.push({
      source: "warning",
      text:
        other === undefined
          ? "no package-lock.json: versions are chosen anew in each build; run npm install and commit the lockfile"
          : `${other} is not used: this builder installs with npm, which chooses versions by package.json alone`
    })
  }
  if (source.files.has("Dockerfile")) {
    notes.push({ source: "warning", text: "the Dockerfile is not used here: the app is built with Node.js" })
  }
  return notes
}

export const detectNode: Detector = (declared) => {
  if (declared.packageJson === undefined) return undefined
  const { settings, packageJson } = declared
  const script = packageJson.scripts?.["build"]
  const ownBuild = settings.build === undefined ? null : shellCommand(settings.build)
  const build = ownBuild ?? (script === undefined ? null : ["npm", "run", "build"])
  const install = installPlan(declared, packageJson, build !== null)
  return Result.succeed({ notes: notesOf(declared, install), install, build })
}
