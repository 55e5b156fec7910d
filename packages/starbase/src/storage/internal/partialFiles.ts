/** Partial files are named `<pid>.<uuid>`, so that what a dead process left behind can be told. */
import * as Fs from "node:fs/promises"
import { join } from "node:path"

/** The `errno` name of a Node.js error, e.g. `ENOENT`. */
export const errnoOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined

/** Writes every byte at the file's position: a single write may be short without an error, as on a disk that fills up. */
export const writeAll = async (handle: Fs.FileHandle, chunks: ReadonlyArray<Uint8Array>): Promise<void> => {
  for (const chunk of chunks) {
    let offset = 0
    while (offset < chunk.length) {
      const { bytesWritten } = await handle.write(chunk, offset)
      offset += bytesWritten
    }
  }
}

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return errnoOf(cause) === "EPERM"
  }
}

/** Removes files of processes that no longer run, and of an earlier process that had this one's id. */
export const removeAbandoned = async (folder: string): Promise<void> => {
  for (const name of await Fs.readdir(folder)) {
    const path = join(folder, name)
    const pid = Number(name.split(".")[0])
    const info = await Fs.stat(path).catch(() => undefined)
    const isOlder = info !== undefined && info.mtimeMs < performance.timeOrigin
    const isAbandoned = pid === process.pid ? isOlder : !lives(pid)
    if (isAbandoned) await Fs.rm(path, { force: true })
  }
}
