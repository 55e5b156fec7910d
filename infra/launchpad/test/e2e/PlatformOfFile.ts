/** One platform for all tests of a file, without the sample; started before the first, gone after the last. */
import { afterAll, beforeAll } from "vitest"
import { freePortBase, type Platform, removeState, start, stateFolder } from "./LaunchedPlatform.ts"

/** Answers how to get it; not before the file's first test. */
export const platformOfFile = (): (() => Platform) => {
  const stateDirectory = stateFolder()
  let platform: Platform | undefined
  beforeAll(async () => {
    platform = await start({ stateDirectory, portBase: await freePortBase(), words: ["--no-sample"] })
  }, 60_000)
  afterAll(async () => {
    await platform?.stop()
    removeState(stateDirectory)
  }, 40_000)
  return () => {
    if (platform === undefined) throw new Error("the platform is not started yet")
    return platform
  }
}
