/** The platform ends in the middle of things and comes back: what was accepted ends, and what was live stays live. */
import { RequestId } from "@starform/domain/ids/Ids"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { AppRepository, nodeApp } from "./AppRepository.ts"
import {
  ask,
  freePortBase,
  hostOf,
  type Platform,
  remoteOf,
  removeState,
  start,
  stateFolder,
  until
} from "./LaunchedPlatform.ts"
import { appOf, asWorkspace } from "./PlatformApi.ts"

const state = stateFolder()
let portBase = 0
let platform: Platform

const launch = async () => {
  platform = await start({ stateDirectory: state, portBase, words: ["--no-sample"] })
}

beforeAll(async () => {
  portBase = await freePortBase()
  await launch()
}, 60_000)

afterAll(async () => {
  await platform.stop()
  removeState(state)
}, 40_000)

const statusOf = (service: string) =>
  asWorkspace(platform, (client) => client.GetAppStatus({ app: appOf(service) }))

const phaseOf = (service: string) =>
  statusOf(service).then(
    ({ deploy }) => deploy?.phase ?? "none",
    () => "unknown"
  )

const reaches = (service: string, phase: string, seconds = 60) => {
  let seen = ""
  return until(
    async () => (seen = await phaseOf(service)) === phase,
    () => `${service} is ${seen}\n${platform.output()}`,
    seconds
  )
}

/** Kills every process of the platform at once, as a power cut does. */
const crash = async () => {
  const { execFileSync } = await import("node:child_process")
  const launcher = platform.child.pid ?? 0
  const children = execFileSync("ps", ["-o", "pid=", "--ppid", String(launcher)], { encoding: "utf8" })
  const pids = [launcher, ...children.split("\n").map(Number)].filter((pid) => pid > 0)
  for (const pid of pids) process.kill(pid, "SIGKILL")
  await platform.exited
}

const slowBuild = (body: string) => {
  const files = nodeApp(body)
  const scripts = { start: "node server.js", build: "sleep 4" }
  return {
    ...files,
    "package.json": JSON.stringify({ name: "app", version: "1.0.0", private: true, scripts })
  }
}

const slowBoot = (body: string) => ({
  ...nodeApp(body),
  "server.js": `setTimeout(() => {
    const server = require("node:http").createServer((request, response) => response.end(${JSON.stringify(body)}))
    server.listen(process.env.PORT)
  }, 4000)`
})

for (const [how, end] of [
  ["stopped by Ctrl-C", () => platform.stop()],
  ["killed", crash]
] as const) {
  const suffix = how === "killed" ? "k" : "s"
  describe(`a platform that was ${how}`, () => {
    it("in the middle of a build: the accepted push goes live after the next start", async () => {
      const repository = new AppRepository()
      const service = `mid-build-${suffix}`
      const remote = remoteOf(platform, service)
      const first = await repository.push(remote, nodeApp("before"))
      assert.strictEqual(first.status, 0, first.output)
      const commit = await repository.commit(slowBuild("after"))
      const pushing = repository.spawn("push", remote, "HEAD:main")
      await until(
        () => pushing.output().includes("npm run build"),
        () => pushing.output()
      )
      await end()
      const { status } = await pushing.ended
      assert.notStrictEqual(status, 0)
      await launch()
      assert.strictEqual((await ask(platform, hostOf(service))).body, "before")
      await reaches(service, "deployed")
      assert.strictEqual((await ask(platform, hostOf(service))).body, "after")
      await until(
        async () => (await repository.git("ls-remote", remote, "refs/heads/main")).startsWith(commit),
        () => platform.output()
      )
      repository.remove()
    }, 120_000)

    it("in the middle of a rollout: the new release goes live after the next start", async () => {
      const repository = new AppRepository()
      const service = `mid-rollout-${suffix}`
      const remote = remoteOf(platform, service)
      const first = await repository.push(remote, nodeApp("before"))
      assert.strictEqual(first.status, 0, first.output)
      await repository.commit(slowBoot("after"))
      const pushing = repository.spawn("push", remote, "HEAD:main")
      await until(
        () => pushing.output().includes("▸ Deploying"),
        () => pushing.output()
      )
      await end()
      await pushing.ended
      await launch()
      await reaches(service, "deployed")
      await until(
        async () => (await ask(platform, hostOf(service))).body === "after",
        () => platform.output()
      )
      repository.remove()
    }, 120_000)

    it("serves every live app again, and takes a rollback", async () => {
      const service = `mid-build-${suffix}`
      await end()
      await launch()
      assert.strictEqual((await ask(platform, hostOf(service))).body, "after")
      await asWorkspace(platform, (client) =>
        client.RollBack({ app: appOf(service), requestId: RequestId.make("back"), release: null })
      )
      await until(
        async () => (await ask(platform, hostOf(service))).body === "before",
        () => platform.output()
      )
    }, 120_000)
  })
}
