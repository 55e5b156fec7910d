import { defineConfig } from "vitest/config"

const project = (name: string, root: string) => ({
  test: {
    name,
    root,
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000
  }
})

export default defineConfig({
  test: {
    projects: [
      project("domain", "packages/domain"),
      project("starbase", "packages/starbase"),
      project("shuttle", "packages/shuttle"),
      project("launchpad", "infra/launchpad")
    ]
  }
})
