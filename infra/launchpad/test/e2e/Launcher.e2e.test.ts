/** `npm start` as a person meets it: the sample live by a real push, secrets closed, nothing left at the end. */
import { execFile } from "node:child_process"
import { chownSync, existsSync, readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, describe, it } from "vitest"
import {
  ask,
  freePortBase,
  modeOf,
  type Platform,
  removeState,
  start,
  stateFolder,
  until,
  workspaceToken
} from "./LaunchedPlatform.ts"

const state = stateFolder()
afterAll(() => removeState(state))

const run = promisify(execFile)

/** Command lines of processes that name the folder, or have it as their working directory. */
const processesIn = async (folder: string): Promise<ReadonlyArray<string>> => {
  const { stdout } = await run("ps", ["-eo", "pid=,args="])
  const lines = stdout.split("\n").filter((line) => line.includes(folder))
  const found = readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(folder)
    } catch {
      return false
    }
  })
  const others = found.filter((pid) => Number(pid) !== process.pid)
  return [...lines.filter((line) => !line.includes("ps -eo")), ...others]
}

const argumentsOfProcesses = (): ReadonlyArray<string> =>
  readdirSync("/proc").flatMap((name) => {
    try {
      return /^\d+$/.test(name) ? [readFileSync(`/proc/${name}/cmdline`, "latin1")] : []
    } catch {
      return []
    }
  })

/** Process id of the launcher's child that runs this program. */
const childOf = async (platform: Platform, program: string): Promise<number> => {
  const { stdout } = await run("ps", ["-o", "pid=,args=", "--ppid", String(platform.child.pid)])
  return Number.parseInt(
    stdout
      .split("\n")
      .find((line) => line.includes(program))
      ?.trim() ?? "",
    10
  )
}

const listening = async (platform: Platform): Promise<ReadonlyArray<number>> => {
  const { createConnection } = await import("node:net")
  const isOpen = (port: number) =>
    new Promise<boolean>((answer) => {
      const socket = createConnection({ port, host: "127.0.0.1" })
      socket.once("connect", () => (socket.destroy(), answer(true)))
      socket.once("error", () => answer(false))
    })
  const ports = [0, 1, 2, 3, 4, 5].map((offset) => platform.portBase + offset)
  const open = await Promise.all(ports.map(isOpen))
  return ports.filter((_, index) => open[index])
}

describe("npm start", () => {
  let portBase = 0

  it("pushes the sample by git, says where everything is, and leaves nothing after Ctrl-C", async () => {
    portBase = await freePortBase()
    const isWatched = { value: true }
    const shown = new Set<string>()
    const watch = (async () => {
      while (isWatched.value) {
        for (const line of argumentsOfProcesses()) if (/sf[owc]_[\w-]{20}/.test(line)) shown.add(line)
        await new Promise((next) => setTimeout(next, 5))
      }
    })()
    const platform = await start({ stateDirectory: state, portBase })
    isWatched.value = false
    await watch
    const output = platform.output()
    assert.include(output, "▸ Building")
    assert.include(output, `live at http://hello-demo.localhost:${portBase + 1}`)
    assert.include(output, `curl -H 'Host: hello-demo.localhost' http://127.0.0.1:${portBase + 1}`)
    assert.include(output, `http://127.0.0.1:${portBase}`)
    assert.include(output, `git remote add starform http://starform:${workspaceToken(platform)}@127.0.0.1:`)
    const answer = await ask(platform, "hello-demo.localhost")
    assert.strictEqual(answer.status, 200)
    assert.include(answer.body, "Hello from Starform")
    assert.lengthOf(await listening(platform), 6)
    assert.strictEqual(await platform.stop(), 130)
    assert.match(platform.output(), /\nStopping …\nStopped: nothing of Starform runs any more\.\n$/)
    assert.deepStrictEqual(await listening(platform), [])
    assert.deepStrictEqual(await processesIn(state), [])
    const tokens = ["workspace", "operator", "agent"].map((name) =>
      readFileSync(join(state, "secrets", `${name}-token`), "utf8").trim()
    )
    const telling = [...shown].filter((line) => tokens.some((token) => line.includes(token)))
    assert.deepStrictEqual(telling, [], "no token is an argument of a process (INV-LCH-6)")
  }, 90_000)

  it("keeps secrets where only their owner reads them (INV-LCH-2)", () => {
    const secrets = join(state, "secrets")
    assert.strictEqual(modeOf(secrets), 0o700)
    for (const name of readdirSync(secrets)) assert.strictEqual(modeOf(join(secrets, name)), 0o600, name)
    for (const name of ["kubeconfig", "cli.json"]) assert.strictEqual(modeOf(join(state, name)), 0o600, name)
  })

  it("brings everything back at the second start without another push", async () => {
    const platform = await start({ stateDirectory: state, portBase })
    assert.notInclude(platform.output(), "Pushing the sample")
    assert.strictEqual((await ask(platform, "hello-demo.localhost")).status, 200)
    assert.strictEqual(await platform.stop(), 130)
  }, 60_000)

  it("leaves nothing when it is killed without a word (INV-LCH-5)", async () => {
    const platform = await start({ stateDirectory: state, portBase })
    process.kill(platform.child.pid ?? 0, "SIGKILL")
    await platform.exited
    let left: ReadonlyArray<unknown> = []
    await until(
      async () => {
        left = [...(await processesIn(state)), ...(await listening(platform))]
        return left.length === 0
      },
      () => left,
      30
    )
    const again = await start({ stateDirectory: state, portBase })
    assert.strictEqual((await ask(again, "hello-demo.localhost")).status, 200)
    await again.stop()
    assert.deepStrictEqual(await processesIn(state), [])
  }, 120_000)

  it("starts at once after it was killed, waiting for what still ends", async () => {
    const platform = await start({ stateDirectory: state, portBase })
    process.kill(platform.child.pid ?? 0, "SIGKILL")
    const again = await start({ stateDirectory: state, portBase })
    assert.strictEqual((await ask(again, "hello-demo.localhost")).status, 200)
    const second = await start({ stateDirectory: state, portBase, isNotAwaited: true })
    assert.strictEqual(await second.exited, 1)
    assert.include(second.output(), `Starform is running here already (process ${again.child.pid}`)
    await again.stop()
  }, 120_000)

  it("ends as a whole when one part ends, and names it with its last lines (INV-LCH-4)", async () => {
    const platform = await start({ stateDirectory: state, portBase })
    const part = await childOf(platform, "shuttle/src/main.ts")
    process.kill(part, "SIGKILL")
    assert.strictEqual(await platform.exited, 1)
    assert.match(platform.output(), /shuttle was ended by SIGKILL/)
    assert.deepStrictEqual(await processesIn(state), [])
  }, 60_000)

  it("ends the apps of a cluster that was killed (INV-LCH-5)", async () => {
    const platform = await start({ stateDirectory: state, portBase })
    process.kill(await childOf(platform, "cluster/main.ts"), "SIGKILL")
    assert.strictEqual(await platform.exited, 1)
    assert.deepStrictEqual(await processesIn(state), [])
  }, 60_000)

  it("names a port that is taken before anything is started (INV-LCH-1)", async () => {
    const base = await freePortBase()
    const server = createServer()
    await new Promise<void>((ready) => server.listen(base + 1, "127.0.0.1", ready))
    const folder = stateFolder()
    const platform = await start({ stateDirectory: folder, portBase: base, isNotAwaited: true })
    assert.strictEqual(await platform.exited, 1)
    assert.include(platform.output(), `Port ${base + 1} (gateway) is taken`)
    assert.isFalse(existsSync(join(folder, "secrets")))
    removeState(folder)
    server.close()
  }, 30_000)

  it("finishes at the next start what a start that was cut short had begun (INV-LCH-3)", async () => {
    const folder = stateFolder()
    const base = await freePortBase()
    for (const sign of ["✓ local cluster", "✓ Starbase", "Pushing the sample"]) {
      const cut = await start({ stateDirectory: folder, portBase: base, isNotAwaited: true })
      await until(
        () => cut.output().includes(sign),
        () => cut.output(),
        30
      )
      process.kill(cut.child.pid ?? 0, "SIGKILL")
      await cut.exited
    }
    const whole = await start({ stateDirectory: folder, portBase: base })
    await until(
      async () => (await ask(whole, "hello-demo.localhost")).status === 200,
      () => whole.output()
    )
    assert.strictEqual(await whole.stop(), 130)
    removeState(folder)
  }, 120_000)

  it("ends the database of a killed start that nothing watched over (INV-LCH-5)", async () => {
    const folder = stateFolder()
    const base = await freePortBase()
    const words = ["--no-sample"]
    const killed = await start({ stateDirectory: folder, portBase: base, words })
    process.kill(await childOf(killed, "starform-guard"), "SIGKILL")
    process.kill(killed.child.pid ?? 0, "SIGKILL")
    await killed.exited
    const next = await start({ stateDirectory: folder, portBase: base, words })
    assert.strictEqual(await next.stop(), 130)
    assert.deepStrictEqual(await processesIn(folder), [])
    removeState(folder)
  }, 60_000)

  it("keeps nothing with --ephemeral", async () => {
    const base = await freePortBase()
    const unused = stateFolder()
    const platform = await start({
      stateDirectory: unused,
      portBase: base,
      words: ["--ephemeral", "--no-sample"]
    })
    const kubeconfig = /--kubeconfig (\S+)/.exec(platform.output())?.[1] ?? ""
    assert.isTrue(existsSync(kubeconfig))
    await platform.stop()
    assert.isFalse(existsSync(kubeconfig))
    assert.deepStrictEqual(readdirSync(unused), [])
    removeState(unused)
  }, 60_000)

  it.skipIf(process.getuid?.() !== 0)(
    "runs in a folder that only root can enter, and says where the rest is (needs root)",
    async () => {
      const closed = stateFolder()
      const folder = join(closed, "state")
      const platform = await start({ stateDirectory: folder, portBase: await freePortBase() })
      const output = platform.output()
      assert.strictEqual(modeOf(closed), 0o700)
      const work = /Apps run below (\S+):/.exec(output)?.[1] ?? ""
      assert.isTrue(work.startsWith("/var/lib/starform/"), output)
      assert.include(output, "The database is in /var/lib/starform/")
      assert.strictEqual((await ask(platform, "hello-demo.localhost")).status, 200)
      await platform.stop()
      removeState(dirname(work))
      removeState(closed)
    },
    60_000
  )

  it.skipIf(process.getuid?.() !== 0)(
    "runs as an ordinary user, and says what that means (needs root to become one)",
    async () => {
      const nobody = 65_534
      const folder = stateFolder()
      chownSync(folder, nobody, nobody)
      const platform = await start({ stateDirectory: folder, portBase: await freePortBase(), user: nobody })
      assert.include(platform.output(), "Apps and builds run with your own user's rights.")
      assert.strictEqual((await ask(platform, "hello-demo.localhost")).status, 200)
      assert.strictEqual(await platform.stop(), 130)
      assert.deepStrictEqual(await processesIn(folder), [])
      removeState(folder)
    },
    60_000
  )
})
