import { defineConfig } from "vitest/config"

const postgres = new URL("infra/launchpad/test/postgres/globalSetup.ts", import.meta.url).pathname

const project = (name: string, root: string, globalSetup: ReadonlyArray<string> = []) => ({
  test: {
    name,
    root,
    globalSetup: [...globalSetup],
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000
  }
})

export default defineConfig({
  test: {
    projects: [
      project("domain", "packages/domain"),
      project("starbase", "packages/starbase", [postgres]),
      project("shuttle", "packages/shuttle"),
      project("cli", "packages/cli", [postgres]),
      project("launchpad", "infra/launchpad", [postgres])
    ]
  }
})
