/** Removing what a build left, whatever permissions it gave it. */
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { errnoOf } from "../../images/TreeErrors.ts"

/** Opens every folder below `path`, links not followed. */
const openFolders = async (path: string): Promise<void> => {
  await Fs.chmod(path, 0o700)
  for (const entry of await Fs.readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await openFolders(join(path, entry.name))
  }
}

/** Succeeds also when there is nothing; folders without permissions, which only root passes by, are opened first. */
export const removeTree = async (path: string): Promise<void> => {
  await Fs.rm(path, { recursive: true, force: true }).catch(async (cause: unknown) => {
    const errno = errnoOf(cause)
    if (errno !== "EACCES" && errno !== "EPERM") return Promise.reject(cause)
    await openFolders(path)
    await Fs.rm(path, { recursive: true, force: true })
  })
}
