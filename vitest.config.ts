import { defineConfig } from "vitest/config"
import { realUrl } from "./infra/launchpad/test/apiserver/RealServer.ts"

const postgres = new URL("infra/launchpad/test/postgres/globalSetup.ts", import.meta.url).pathname

const restartable = new URL("infra/launchpad/test/postgres/RestartableServer.ts", import.meta.url).pathname

const project = (name: string, root: string, globalSetup: ReadonlyArray<string> = []) => ({
  test: {
    name,
    root,
    globalSetup: [...globalSetup],
    include: ["test/**/*.test.ts"],
    exclude: ["test/e2e/**", "test/**/*.cluster.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Vitest leaves one core idle; these tests wait more than they work.
    maxWorkers: "100%",
    sequence: { groupOrder: 0 }
  }
})

/** Runners that are killed, frozen and cut off, two worlds at once. Each project has a PostgreSQL of its own. */
const cluster = (name: string, include: string, exclude: ReadonlyArray<string> = []) => ({
  test: {
    name,
    root: "packages/starbase",
    globalSetup: [restartable],
    include: [include],
    exclude: [...exclude],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    sequence: { groupOrder: 1 }
  }
})

/** The file whose tests crash PostgreSQL: no other world may stand on it. */
const postgresFaults = "test/cluster/Postgres.cluster.test.ts"

/** Whole platforms: one at a time, after everything else, so that load and people's waits are what they are. */
const endToEnd = {
  test: {
    name: "e2e",
    root: "infra/launchpad",
    include: ["test/e2e/**/*.e2e.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
    sequence: { groupOrder: 2 }
  }
}

/**
 * Shuttle's integration tests on a real API server: there is only one, so one file at a time. `npm run test:kubernetes` makes it
 * ready and tells where it is; no other run has this project.
 */
const kubernetes = {
  test: {
    name: "kubernetes",
    root: "infra/launchpad",
    globalSetup: [postgres],
    include: ["test/shuttle/*.integration.test.ts"],
    testTimeout: 300_000,
    hookTimeout: 60_000,
    maxWorkers: 1
  }
}

export default defineConfig({
  test: {
    projects: [
      project("domain", "packages/domain"),
      project("starbase", "packages/starbase", [postgres]),
      project("shuttle", "packages/shuttle"),
      project("cli", "packages/cli", [postgres]),
      project("launchpad", "infra/launchpad", [postgres]),
      cluster("cluster", "test/cluster/**/*.cluster.test.ts", [postgresFaults]),
      cluster("cluster-postgres", postgresFaults),
      endToEnd,
      ...(realUrl === null ? [] : [kubernetes])
    ]
  }
})
