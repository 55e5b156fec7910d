/** A folder whose content counts for one boot of the machine: what was not synced may be broken after a power loss. */
import * as Fs from "node:fs/promises"
import { join } from "node:path"

const bootId = (): Promise<string> =>
  Fs.readFile("/proc/sys/kernel/random/boot_id", "utf8").then(
    (text) => text.trim(),
    () => "any-boot"
  )

export interface BootFolderParts {
  /** Passed through by everybody, listed by their owner only. */
  readonly entered: ReadonlyArray<string>
  /** Their owner's alone; so is `partial`. */
  readonly closed: ReadonlyArray<string>
}

/**
 * The present boot's folder below `directory`, with these parts and `partial`. Removes those of earlier boots, and
 * partial work of earlier processes.
 */
export const openBootFolder = async (
  directory: string,
  { entered, closed }: BootFolderParts
): Promise<string> => {
  const present = await bootId()
  await Fs.mkdir(directory, { recursive: true })
  const others = (await Fs.readdir(directory)).filter((name) => name !== present)
  await Promise.all(others.map((name) => Fs.rm(join(directory, name), { recursive: true, force: true })))
  const folder = join(directory, present)
  await Fs.rm(join(folder, "partial"), { recursive: true, force: true })
  const give = async (path: string, mode: number) => {
    await Fs.mkdir(path, { recursive: true })
    await Fs.chmod(path, mode)
  }
  for (const path of [directory, folder]) await give(path, 0o711)
  for (const part of entered) await give(join(folder, part), 0o711)
  for (const part of [...closed, "partial"]) await give(join(folder, part), 0o700)
  return folder
}
