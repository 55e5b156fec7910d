/** A real `git push` through everything to a live URL, and what happens to the live app meanwhile. */
import { execFile } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { RequestId } from "@starform/domain/ids/Ids"
import { assert, describe, it } from "vitest"
import { AppRepository, nodeApp } from "./AppRepository.ts"
import { ask, hostOf, remoteOf, startLoad, until } from "./LaunchedPlatform.ts"
import { appOf, asOperator, asWorkspace } from "./PlatformApi.ts"
import { platformOfFile } from "./PlatformOfFile.ts"

const platform = platformOfFile()

const journalOf = (type: "App" | "Cluster" | "Tenant", id: string) =>
  asOperator(platform(), (client) => client.ReadJournal({ type, id, afterSequence: 0, limit: 500 }))

const tags = (entries: ReadonlyArray<{ readonly event: unknown }>): ReadonlyArray<string> =>
  entries.map(({ event }) => (event as { readonly _tag: string })._tag)

const statusOf = (service: string) =>
  asWorkspace(platform(), (client) => client.GetAppStatus({ app: appOf(service) }))

describe("git push", () => {
  it("goes live through every plane, and each entity's journal says so", async () => {
    const repository = new AppRepository()
    const pushed = await repository.push(remoteOf(platform(), "journey"), nodeApp("one"))
    assert.strictEqual(pushed.status, 0, pushed.output)
    assert.include(pushed.output, 'Created service "journey"')
    assert.include(pushed.output, `live at http://${hostOf("journey")}:${platform().portBase + 1}`)
    assert.deepStrictEqual(await ask(platform(), hostOf("journey")), { status: 200, body: "one" })

    const status = await statusOf("journey")
    assert.strictEqual(status.deploy?.phase, "deployed")
    assert.strictEqual(status.live?.provenance.gitSha, await repository.git("rev-parse", "HEAD"))
    assert.deepStrictEqual(
      status.deploy?.phases.map(({ phase }) => phase),
      ["pending", "building", "built", "deploying", "deployed"]
    )
    const appEvents = tags(await journalOf("App", status.appId))
    const clusterId = readFileSync(join(platform().stateDirectory, "secrets", "cluster-id"), "utf8").trim()
    const clusterEvents = (await journalOf("Cluster", clusterId)).map(({ event }) => JSON.stringify(event))
    const workspaceId = readFileSync(
      join(platform().stateDirectory, "secrets", "workspace-id"),
      "utf8"
    ).trim()
    const tenantEvents = (await journalOf("Tenant", workspaceId)).map(({ event }) => JSON.stringify(event))
    assert.isAbove(appEvents.length, 4, appEvents.join(" "))
    assert.isTrue(clusterEvents.some((event) => event.includes(status.appId)))
    assert.isTrue(tenantEvents.some((event) => event.includes("journey")))
    repository.remove()
  })

  it("says that a commit is known, and takes the same commit again after a failure", async () => {
    const repository = new AppRepository()
    const remote = remoteOf(platform(), "again")
    const failed = await repository.push(remote, nodeApp("x", "process.exit(3)"))
    assert.strictEqual(failed.status, 1, failed.output)
    const repeated = await repository.run("push", remote, "HEAD:main")
    assert.strictEqual(repeated.status, 1, repeated.output)
    assert.include(repeated.output, "▸ Building")
    const mended = await repository.push(remote, nodeApp("mended"))
    assert.strictEqual(mended.status, 0, mended.output)
    const known = await repository.run("push", remote, "HEAD:main")
    assert.strictEqual(known.status, 0)
    assert.include(known.output, "Everything up-to-date")
    repository.remove()
  })

  it("replaces and rolls back a live app under load without one failed response", async () => {
    const repository = new AppRepository()
    const remote = remoteOf(platform(), "loaded")
    const first = await repository.push(remote, nodeApp("one"))
    assert.strictEqual(first.status, 0, first.output)
    const load = startLoad(platform(), hostOf("loaded"), 200)
    await until(
      () => load.sent() >= 100,
      () => load.sent()
    )
    const second = await repository.push(remote, nodeApp("two"))
    assert.strictEqual(second.status, 0, second.output)
    await until(
      () => load.bodies.has("two"),
      () => [...load.bodies]
    )
    const broken = await repository.push(remote, nodeApp("three", "process.exit(7)"))
    assert.strictEqual(broken.status, 1, broken.output)
    assert.include(broken.output, "[remote rejected]")
    const rolledBack = await asWorkspace(platform(), (client) =>
      client.RollBack({ app: appOf("loaded"), requestId: RequestId.make("roll-back-1"), release: 1 })
    )
    assert.strictEqual(rolledBack.kind, "rollback")
    await until(
      async () =>
        (await statusOf("loaded")).deploy?.phase === "deployed" &&
        (await ask(platform(), hostOf("loaded"))).body === "one",
      () => [...load.bodies]
    )
    const { failures, sent, bodies } = await load.end()
    assert.deepStrictEqual(failures, [])
    assert.isAbove(sent, 300)
    assert.isFalse(bodies.has("three"))
    repository.remove()
  }, 90_000)
})

const hasKubectl = await promisify(execFile)("kubectl", ["version", "--client"]).then(
  () => true,
  () => false
)

describe.skipIf(!hasKubectl)("drift (needs kubectl)", () => {
  const kubectl = async (...args: ReadonlyArray<string>) =>
    (
      await promisify(execFile)("kubectl", [
        "--kubeconfig",
        join(platform().stateDirectory, "kubeconfig"),
        ...args
      ])
    ).stdout

  it("is repaired when an owned object is deleted, and leaves alone what somebody else owns", async () => {
    const repository = new AppRepository()
    const pushed = await repository.push(remoteOf(platform(), "drifting"), nodeApp("still here"))
    assert.strictEqual(pushed.status, 0, pushed.output)
    const foreign = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "foreign" }, data: { a: "b" } }
    const file = join(repository.folder, "foreign.json")
    writeFileSync(file, JSON.stringify(foreign))
    await kubectl("-n", "proj-demo", "apply", "--server-side", "-f", file)
    const list = async () =>
      (await kubectl("-n", "proj-demo", "get", "deployments", "-o", "name")).split("\n")
    const deployment = (await list()).find((name) => name.includes("drifting")) ?? ""
    const uid = () =>
      kubectl("-n", "proj-demo", "get", deployment, "-o", "jsonpath={.metadata.uid}").catch(() => "")
    const before = await uid()
    await kubectl("-n", "proj-demo", "delete", deployment, "--wait=false")
    await until(
      async () => {
        const now = await uid()
        return now !== "" && now !== before
      },
      list,
      20
    )
    await until(
      async () => (await ask(platform(), hostOf("drifting"))).body === "still here",
      () => platform().output()
    )
    assert.include(
      await kubectl("-n", "proj-demo", "get", "configmap", "foreign", "-o", "jsonpath={.data.a}"),
      "b"
    )
    repository.remove()
  }, 60_000)
})
