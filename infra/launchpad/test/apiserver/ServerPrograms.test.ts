/**
 * How the programs of KUBEBUILDER_ASSETS are started and ended. kube-apiserver is not had here: a program of our own stands in its
 * place (`StandIn.process.ts`), so that Kubernetes takes these arguments is not proved. etcd is the real one where it is installed.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawn, spawnSync } from "node:child_process"
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll } from "vitest"
import { callsTo, within } from "./ApiCalls.ts"
import { apiServerArguments, controllerManagerArguments, etcdArguments } from "./ServerArguments.ts"
import type { Programs } from "./ServerChoice.ts"
import * as ServerPrograms from "./ServerPrograms.ts"
import * as TestServer from "./TestServer.ts"

const standIn = fileURLToPath(new URL("./StandIn.process.ts", import.meta.url))
const etcd = spawnSync("sh", ["-c", "command -v etcd"], { encoding: "utf8" }).stdout.trim()
if (etcd === "") console.log("etcd is not installed: a program of the test's own stands in its place")

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const end = (pids: ReadonlyArray<number>) => within(15_000, async () => !pids.some(isAlive))

describe("the arguments", () => {
  const words = [
    ...etcdArguments("/f", 1),
    ...apiServerArguments("/f", { etcd: 1, api: 2 }, false),
    ...controllerManagerArguments("/f")
  ]

  it("keep every listener on loopback and every file in the folder", () => {
    for (const word of words.filter((one) => /address|listen/.test(one))) assert.include(word, "127.0.0.1")
    for (const word of words.filter((one) => /file|dir|kubeconfig/.test(one))) assert.match(word, /=\/f\//)
    assert.include(words, "--authorization-mode=RBAC")
    assert.include(words, "--etcd-servers=http://127.0.0.1:1")
  })

  it("turn off only where nobody fills it in what waits for controllers", () => {
    const off = (hasControllers: boolean) =>
      apiServerArguments("/f", { etcd: 1, api: 2 }, hasControllers).filter((one) => one.includes("disable"))
    assert.deepStrictEqual(off(false), ["--disable-admission-plugins=ServiceAccount,ResourceQuota"])
    assert.isEmpty(off(true))
  })
})

describe("the programs of a folder", () => {
  let folder = ""
  const programs = (apiServer = "kube-apiserver"): Programs => ({
    etcd: join(folder, "etcd"),
    apiServer: join(folder, apiServer),
    controllerManager: null
  })
  const script = (name: string, text: string) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "starform-assets-"))
    if (etcd === "") script("etcd", `exec '${process.execPath}' '${standIn}' etcd "$@"`)
    else symlinkSync(etcd, join(folder, "etcd"))
    script("kube-apiserver", `exec '${process.execPath}' '${standIn}' kube-apiserver "$@"`)
    script("broken", "echo 'unknown flag: --nonsense' >&2; exit 3")
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it("make a server that a run opens by its kubeconfig, and are gone with their folder after it", async () => {
    const started = await ServerPrograms.start(programs())
    const pids = await started.pids()
    assert.lengthOf(pids, 3)
    const server = await TestServer.open(started.kubeconfigFile)
    assert.strictEqual((await callsTo(server.url)("GET", "/api/v1/namespaces")).status, 200)
    await server.close()
    await started.stop()
    assert.isTrue(await end(pids))
    assert.isFalse(existsSync(started.folder))
  })

  it("end with the run that started them, also when that is killed", async () => {
    const file = fileURLToPath(new URL("./ServerPrograms.ts", import.meta.url))
    const text = `import { start } from ${JSON.stringify(file)}
      const { folder, pids } = await start(${JSON.stringify(programs())})
      console.log(JSON.stringify({ folder, pids: await pids() }))`
    const run = spawn(process.execPath, ["--input-type=module-typescript", "-e", text], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const said = await new Promise<string>((resolve) =>
      run.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString("utf8")))
    )
    const { folder: used, pids } = JSON.parse(said) as { folder: string; pids: ReadonlyArray<number> }
    assert.isTrue(pids.every(isAlive))
    run.kill("SIGKILL")
    assert.isTrue(await end(pids))
    assert.isTrue(await within(5_000, async () => !existsSync(used)))
  })

  it("fail with a program's last words, and leave nothing", async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("starform-apiserver-"))
    const failed = await ServerPrograms.start(programs("broken")).then(
      () => "",
      (cause: Error) => cause.message
    )
    assert.match(failed, /broken ended \(status 3\) before it answered[^]*unknown flag: --nonsense/)
    const after = readdirSync(tmpdir()).filter((name) => name.startsWith("starform-apiserver-"))
    assert.deepStrictEqual(
      after.filter((name) => !before.includes(name)),
      []
    )
  })
})
