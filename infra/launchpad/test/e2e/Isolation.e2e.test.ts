/** What a build and an app can reach of the platform, of another tenant and of a neighbour in its project: open ports only. */
import { createHash, randomBytes, randomUUID } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { ClusterId, RequestId, WorkspaceId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import { Effect } from "effect"
import { AppRepository } from "./AppRepository.ts"
import { ask, hostOf, type Platform, workspaceToken } from "./LaunchedPlatform.ts"
import { asOperator } from "./PlatformApi.ts"
import { platformOfFile } from "./PlatformOfFile.ts"
import { spyApp, victimApp } from "./SpyApp.ts"

const platform = platformOfFile()

const remoteOf = (path: string) => `http://127.0.0.1:${platform().portBase}/git/${path}.git`

/** Another workspace with a project of its own; answers its token. */
const newTenant = async (name: string): Promise<string> => {
  const id = WorkspaceId.make(randomUUID())
  const token = `sfw_${id}_${randomBytes(32).toString("base64url")}`
  const clusterId = ClusterId.make(
    readFileSync(join(platform().stateDirectory, "secrets", "cluster-id"), "utf8").trim()
  )
  await asOperator(platform(), (client) =>
    client
      .CreateWorkspace({
        requestId: RequestId.make(`${name}-workspace`),
        id,
        slug: Slug.make(name),
        displayName: name,
        tokenHash: createHash("sha256").update(token).digest("hex")
      })
      .pipe(
        Effect.andThen(
          client.CreateProject({
            requestId: RequestId.make(`${name}-project`),
            workspace: Slug.make(name),
            slug: Slug.make(name),
            displayName: name,
            clusterId
          })
        )
      )
  )
  return token
}

/** Processes that descend from the launcher, itself included. */
const familyOf = (root: number): ReadonlyArray<number> => {
  const parents = readdirSync("/proc").flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1")
      return [[Number(name), Number(stat.slice(stat.lastIndexOf(")")).split(" ")[2])] as const]
    } catch {
      return []
    }
  })
  const children = (pid: number): ReadonlyArray<number> =>
    parents.filter(([, parent]) => parent === pid).flatMap(([child]) => [child, ...children(child)])
  return [root, ...children(root)]
}

/** Of the platform: everything below the state folder that is not an app's. */
const privatePaths = ({ stateDirectory }: Platform): ReadonlyArray<string> => {
  const secrets = join(stateDirectory, "secrets")
  return [
    stateDirectory,
    ...readdirSync(stateDirectory)
      .filter((name) => name !== "work")
      .map((name) => join(stateDirectory, name)),
    ...readdirSync(secrets).map((name) => join(secrets, name)),
    ...["blobs", "git"].map((name) => join(stateDirectory, "starbase", name)),
    join(stateDirectory, "logs", "starbase.log"),
    ...[
      "",
      "builds",
      "builds/work",
      "builds/npm",
      "builds/users",
      "images",
      "pods",
      "pods/user-ids.json"
    ].map((name) => join(stateDirectory, "work", name))
  ]
}

describe("isolation of tenants", () => {
  it("lets a build and an app reach nothing of the platform or of another app (INV-LCH-6)", async (context) => {
    if (process.getuid?.() !== 0) {
      return context.skip("only root runs apps and builds as users of their own")
    }
    const repository = new AppRepository()
    const token = await newTenant("victim")
    await repository.signIn(token)
    const pushed = await repository.push(remoteOf("victim/victim/shop"), victimApp)
    assert.strictEqual(pushed.status, 0, pushed.output)
    const spy = new AppRepository()
    await spy.signIn(workspaceToken(platform()))
    const neighbour = await spy.push(remoteOf("local/demo/neighbour"), victimApp)
    assert.strictEqual(neighbour.status, 0, neighbour.output)
    const victims = await Promise.all(
      ["shop-victim.localhost", hostOf("neighbour")].map(
        async (host) =>
          JSON.parse((await ask(platform(), host)).body) as Record<"cwd" | "home" | "temporary", string> & {
            readonly pid: number
          }
      )
    )

    const state = platform().stateDirectory
    const logs = readdirSync(join(state, "work", "pods"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".log"))
      .map((name) => join(state, "work", "pods", name))
    const spied = await spy.push(
      remoteOf("local/demo/spy"),
      spyApp({
        paths: [
          ...privatePaths(platform()),
          ...logs,
          ...victims.flatMap(({ cwd, home, temporary }) => [
            cwd,
            join(cwd, "server.js"),
            home,
            temporary,
            join(temporary, "private")
          ])
        ],
        sockets: [join(state, "sockets", "hooks.sock")],
        pids: [...familyOf(platform().child.pid ?? 0), ...victims.map(({ pid }) => pid)],
        folders: [
          state,
          join(state, "work"),
          join(state, "work", "pods"),
          ...victims.flatMap(({ cwd, temporary }) => [cwd, temporary, join(cwd, "..")])
        ]
      })
    )
    assert.strictEqual(spied.status, 0, spied.output)
    const inBuild = [...spied.output.matchAll(/build (LEAK .*|SPIED)/g)].map(([, line]) => line)
    assert.deepStrictEqual(inBuild, ["SPIED"])
    assert.strictEqual((await ask(platform(), hostOf("spy"))).body, "SPIED")
    assert.strictEqual((await ask(platform(), "shop-victim.localhost")).status, 200)
    for (const each of [repository, spy]) each.remove()
  }, 120_000)
})
