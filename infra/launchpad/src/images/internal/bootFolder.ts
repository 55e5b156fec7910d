/** A folder whose content counts for one boot of the machine: what was not synced may be broken after a power loss. */
import * as Fs from "node:fs/promises"
import { join } from "node:path"

const bootId = (): Promise<string> =>
  Fs.readFile("/proc/sys/kernel/random/boot_id", "utf8").then(
    (text) => text.trim(),
    () => "any-boot"
  )

/**
 * The present boot's folder below `directory`, entered by everybody and listed by its owner only: who does not know a
 * digest does not find the tree. Removes those of earlier boots, and partial work of earlier processes.
 */
export const openBootFolder = async (directory: string, parts: ReadonlyArray<string>): Promise<string> => {
  const present = await bootId()
  await Fs.mkdir(directory, { recursive: true })
  const others = (await Fs.readdir(directory)).filter((name) => name !== present)
  await Promise.all(others.map((name) => Fs.rm(join(directory, name), { recursive: true, force: true })))
  const folder = join(directory, present)
  await Fs.rm(join(folder, "partial"), { recursive: true, force: true })
  for (const part of [...parts, "partial"]) {
    await Fs.mkdir(join(folder, part), { recursive: true })
  }
  const closed = [directory, folder, ...parts.map((part) => join(folder, part))]
  await Promise.all(closed.map((path) => Fs.chmod(path, 0o711)))
  return folder
}
