/**
 * Durable Objects of workerd beside ours: as many objects with the same state in memory, asked by as many callers inside
 * the same process. The package is fetched into a temporary folder and leaves with it.
 */
import { execFileSync, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

const freePort = (): Promise<number> =>
  new Promise((answer) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => answer(port))
    })
  })

/** A caller's worker, and the objects. Time stands still in a worker between its inputs, so rounds are counted in asks. */
const program = `
import { DurableObject } from "cloudflare:workers"
export class App extends DurableObject {
  create(state) { this.state = state }
  get() { return this.state }
}
export default {
  async fetch(request, { APPS }) {
    const { setUp, state, asks, callers, entities } = await request.json()
    const stubs = Array.from({ length: entities }, (_, n) => APPS.get(APPS.idFromName(String(n))))
    if (setUp) {
      for (const stub of stubs) await stub.create(state)
      return new Response("ok")
    }
    const caller = async (first) => {
      for (let n = first; n < asks; n += callers) await stubs[(n * 7919) % entities].get()
    }
    await Promise.all(Array.from({ length: callers }, (_, first) => caller(first)))
    return new Response("ok")
  }
}
`

const config = (port: number) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2025-01-01",
  durableObjectNamespaces = [(className = "App", uniqueKey = "app")],
  durableObjectStorage = (inMemory = void),
  bindings = [(name = "APPS", durableObjectNamespace = "App")]
);
`

export interface Rival {
  readonly version: string
  readonly setUp: (state: unknown) => Promise<void>
  /** Answers per second. */
  readonly round: (asks: number) => Promise<number>
  readonly stop: () => Promise<void>
}

/** @errors with what npm or workerd said */
export const startWorkerd = async (load: {
  readonly callers: number
  readonly entities: number
}): Promise<Rival> => {
  const folder = mkdtempSync(join(tmpdir(), "starform-workerd-"))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    execFileSync(
      "npm",
      ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, "workerd"],
      { stdio: ["ignore", "ignore", "pipe"], timeout: 120_000 }
    )
    const port = await freePort()
    writeFileSync(join(folder, "worker.js"), program)
    writeFileSync(join(folder, "config.capnp"), config(port))
    const platform = `workerd-${process.platform}-${process.arch === "x64" ? "64" : process.arch}`
    const binary = join(folder, "node_modules/@cloudflare", platform, "bin/workerd")
    const version = execFileSync(binary, ["--version"], { encoding: "utf8" }).trim()
    const child = spawn(binary, ["serve", join(folder, "config.capnp")], {
      stdio: ["ignore", "ignore", "inherit"]
    })
    const ended = new Promise<void>((end) => child.once("close", () => end()))
    // Node ends this process without asking when nothing else is left; the rival must not outlive it.
    process.once("exit", () => child.kill("SIGKILL"))
    const ask = async (body: object): Promise<void> => {
      const response = await fetch(`http://127.0.0.1:${port}`, {
        method: "POST",
        body: JSON.stringify({ ...load, ...body })
      })
      if (!response.ok) throw new Error(`workerd answered ${response.status}: ${await response.text()}`)
      await response.text()
    }
    return {
      version,
      setUp: async (state) => {
        for (let attempt = 0; ; attempt++) {
          try {
            return await ask({ setUp: true, state })
          } catch (error) {
            if (attempt >= 50 || child.exitCode !== null) throw error
            await new Promise((next) => setTimeout(next, 100))
          }
        }
      },
      round: async (asks) => {
        const from = performance.now()
        await ask({ asks })
        return (asks * 1000) / (performance.now() - from)
      },
      stop: async () => {
        child.kill("SIGKILL")
        await ended
        remove()
      }
    }
  } catch (error) {
    remove()
    throw error
  }
}
