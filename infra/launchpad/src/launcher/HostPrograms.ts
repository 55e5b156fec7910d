/** Which programs of this machine apps and builds find, and where the folders are that their users can enter. */
import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import { dirname, join, parse, sep } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A folder or program for apps cannot be made. */
export class HostProgramsUnusable extends Schema.TaggedError<HostProgramsUnusable>()("HostProgramsUnusable", {
  path: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `${this.path} cannot be prepared for apps: ${String(this.cause)}`
  }
}

const attempt = <A>(path: string, work: () => Promise<A>) =>
  Effect.tryPromise({ try: work, catch: (cause) => new HostProgramsUnusable({ path, cause }) })

const isRoot = (): boolean => process.getuid?.() === 0

/** Whether users that own nothing of it can pass through every folder of the path that exists. */
const isOpen = async (path: string): Promise<boolean> => {
  const { root } = parse(path)
  const parts = path.slice(root.length).split(sep)
  for (let count = parts.length; count >= 0; count--) {
    const folder = join(root, ...parts.slice(0, count))
    const mode = await Fs.stat(folder).then(
      (info) => info.mode,
      () => undefined
    )
    if (mode !== undefined && (mode & constants.S_IXOTH) === 0) return false
  }
  return true
}

export interface HostPrograms {
  /** Where images are unpacked, apps run and builds happen; every user can pass through the folders above it. */
  readonly workDirectory: string
  /** `PATH` of apps and builds: Node.js first, then this machine's programs. */
  readonly searchPath: ReadonlyArray<string>
  /** True when the work is elsewhere than in the state folder: a person should be told where. */
  readonly isRelocated: boolean
}

/** Copies the running Node.js when apps could not execute it in place. */
const nodeDirectory = async (fallback: string): Promise<string> => {
  const own = dirname(process.execPath)
  if (!isRoot() || (await isOpen(own))) return own
  const folder = join(fallback, "bin")
  const copy = join(folder, "node")
  await Fs.mkdir(folder, { recursive: true })
  await Fs.chmod(folder, 0o755)
  const [source, target] = await Promise.all([
    Fs.stat(process.execPath),
    Fs.stat(copy).catch(() => undefined)
  ])
  if (target?.size !== source.size || target.mtimeMs < source.mtimeMs) {
    await Fs.copyFile(process.execPath, `${copy}.new`)
    await Fs.chmod(`${copy}.new`, 0o755)
    await Fs.rename(`${copy}.new`, copy)
  }
  return folder
}

/** Folders of the caller's `PATH` that apps can enter; development programs of this checkout are not among them. */
const machinePath = async (path: string): Promise<ReadonlyArray<string>> => {
  const folders = path
    .split(":")
    .filter((folder) => folder.startsWith("/") && !folder.includes("/node_modules/"))
  const usual = ["/usr/local/bin", "/usr/bin", "/bin"]
  const candidates = [...new Set([...folders, ...usual])]
  const open = await Promise.all(
    candidates.map(async (folder) => {
      const exists = await Fs.access(folder).then(
        () => true,
        () => false
      )
      return exists && (!isRoot() || (await isOpen(folder)))
    })
  )
  return candidates.filter((_, index) => open[index])
}

/**
 * @param state folder of the platform's state
 * @param fallback used by root when other users cannot enter `state`
 * @param path the caller's `PATH`
 */
export const prepare = (state: string, fallback: string, path: string) =>
  attempt(state, async (): Promise<HostPrograms> => {
    const isRelocated = isRoot() && !(await isOpen(state))
    const workDirectory = join(isRelocated ? fallback : state, "work")
    await Fs.mkdir(workDirectory, { recursive: true })
    await Fs.chmod(workDirectory, 0o711)
    if (isRelocated) await Fs.chmod(fallback, 0o711)
    const node = await nodeDirectory(fallback)
    return { workDirectory, searchPath: [node, ...(await machinePath(path))], isRelocated }
  })
