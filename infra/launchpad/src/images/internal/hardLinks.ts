/** A tree that shares its files with another. */
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { errnoOf } from "../TreeErrors.ts"

const linksAtOnce = 64

const unlessPresent = async (make: Promise<unknown>): Promise<void> => {
  await make.catch((cause: unknown) => (errnoOf(cause) === "EEXIST" ? undefined : Promise.reject(cause)))
}

/** Adds a tree to `to`: directories are made, files are hard-linked, symbolic links are copied. What is there stays. */
export const linkTree = async (from: string, to: string): Promise<void> => {
  const folders = [""]
  const pending: Array<() => Promise<void>> = []
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    for (const entry of await Fs.readdir(join(from, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) {
        await Fs.mkdir(join(to, path), { recursive: true })
        await Fs.chmod(join(to, path), 0o755)
        folders.push(path)
      } else if (entry.isSymbolicLink()) {
        pending.push(async () =>
          unlessPresent(Fs.symlink(await Fs.readlink(join(from, path)), join(to, path)))
        )
      } else {
        pending.push(() => unlessPresent(Fs.link(join(from, path), join(to, path))))
      }
    }
    while (pending.length >= linksAtOnce || (folders.length === 0 && pending.length > 0)) {
      await Promise.all(pending.splice(0, linksAtOnce).map((link) => link()))
    }
  }
}
