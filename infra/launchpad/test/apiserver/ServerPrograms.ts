/** An API server of the run's own, from the programs of a folder in envtest's layout. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Program from "../../../../bench/program.ts"
import { filesOf } from "./ServerArguments.ts"
import type { Programs } from "./ServerChoice.ts"

interface ServerPrograms {
  readonly kubeconfigFile: string
  readonly folder: string
  /** The process that started them and removes the folder after them, and theirs. */
  readonly pids: () => Promise<ReadonlyArray<number>>
  readonly stop: () => Promise<void>
}

const processFile = fileURLToPath(new URL("./ServerPrograms.process.ts", import.meta.url))

export const start = async (programs: Programs): Promise<ServerPrograms> => {
  const folder = mkdtempSync(join(tmpdir(), "starform-apiserver-"))
  const program = await Program.start(processFile, [folder, JSON.stringify(programs)])
  return {
    kubeconfigFile: filesOf(folder).kubeconfig,
    folder,
    pids: async () => [program.pid, ...(await program.ask<ReadonlyArray<number>>("pids"))],
    stop: program.stop
  }
}
