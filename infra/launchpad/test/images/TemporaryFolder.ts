/** A folder of one test, removed with everything in it when the test ends. */
import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect } from "effect"

export const temporaryFolder = Effect.acquireRelease(
  Effect.promise(async () => {
    const folder = await Fs.mkdtemp(join(tmpdir(), "starform-test-"))
    await Fs.chmod(folder, 0o755)
    return folder
  }),
  (folder) => Effect.promise(() => Fs.rm(folder, { recursive: true, force: true }))
)

/** Writes files by path; a text that begins with `#!` makes an executable. */
export const writeFiles = (root: string, files: Readonly<Record<string, string>>) =>
  Effect.promise(async () => {
    for (const [path, text] of Object.entries(files)) {
      await Fs.mkdir(dirname(join(root, path)), { recursive: true })
      await Fs.writeFile(join(root, path), text, { mode: text.startsWith("#!") ? 0o755 : 0o644 })
    }
  })
