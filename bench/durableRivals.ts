/**
 * Durable objects of others beside ours: workerd's Durable Objects with storage on disk, and Restate's virtual objects.
 * Each sets one value of an object per ask and answers when that is durable. The packages are fetched into a temporary
 * folder and leave with it; one that cannot be fetched or started is left out, with the reason.
 */
import { execFileSync, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface DurableRival {
  readonly name: string
  readonly version: string
  readonly folder: string
  /** Asks per second that were answered. */
  readonly round: (seconds: number) => Promise<number>
  readonly stop: () => Promise<void>
}

interface Load {
  readonly callers: number
  readonly entities: number
}

const startPatienceMs = 20_000

const freePort = (): Promise<number> =>
  new Promise((answer) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => answer(port))
    })
  })

const install = (folder: string, ...packages: ReadonlyArray<string>) => {
  execFileSync(
    "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, ...packages],
    { stdio: ["ignore", "ignore", "pipe"], timeout: 180_000 }
  )
}

const platform = `${process.platform}-${process.arch}`

const run = (command: string, words: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => {
  const child = spawn(command, [...words], {
    stdio: ["ignore", "ignore", "ignore"],
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...env }
  })
  const ended = new Promise<void>((end) => child.once("exit", () => end()))
  const kill = () => void child.kill("SIGKILL")
  // Node ends this process without asking when nothing else is left; the rival must not outlive it.
  process.once("exit", kill)
  return async () => {
    kill()
    await ended
  }
}

/** Repeats until it succeeds; the last problem when patience ends. */
const eventually = async <A>(work: () => Promise<A>): Promise<A> => {
  const until = performance.now() + startPatienceMs
  for (;;) {
    try {
      return await work()
    } catch (problem) {
      if (performance.now() > until) throw problem
      await new Promise((next) => setTimeout(next, 200))
    }
  }
}

const post = async (url: string, body: unknown): Promise<string> => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`)
  return text
}

/** The callers are inside: no socket between them and the objects. Time stands still there, so asks are counted. */
const workerdProgram = `
import { DurableObject } from "cloudflare:workers"
export class App extends DurableObject {
  async set(health) {
    this.ctx.storage.put("health", health)
    await this.ctx.storage.sync()
  }
}
export default {
  async fetch(request, { APPS }) {
    const { asks, callers, entities } = await request.json()
    const stubs = Array.from({ length: entities }, (_, n) => APPS.get(APPS.idFromName(String(n))))
    const caller = async (first) => {
      for (let n = first; n < asks; n += callers) {
        await stubs[(n * 7919) % entities].set({ path: "/up/" + n, startupSeconds: 5 })
      }
    }
    await Promise.all(Array.from({ length: callers }, (_, first) => caller(first)))
    return new Response("ok")
  }
}
`

const workerdConfig = (port: number, disk: string) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "disk", disk = (path = "${disk}", writable = true))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2025-01-01",
  durableObjectNamespaces = [(className = "App", uniqueKey = "app", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [(name = "APPS", durableObjectNamespace = "App")]
);
`

const startWorkerd = async (folder: string, load: Load): Promise<DurableRival> => {
  install(folder, "workerd")
  const port = await freePort()
  const disk = join(folder, "objects")
  mkdirSync(disk)
  writeFileSync(join(folder, "worker.js"), workerdProgram)
  writeFileSync(join(folder, "config.capnp"), workerdConfig(port, disk))
  const own = `workerd-${process.platform}-${process.arch === "x64" ? "64" : process.arch}`
  const binary = join(folder, "node_modules/@cloudflare", own, "bin/workerd")
  const version = execFileSync(binary, ["--version"], { encoding: "utf8" }).trim()
  const stop = run(binary, ["serve", join(folder, "config.capnp")])
  const ask = async (asks: number) => {
    const from = performance.now()
    await post(`http://127.0.0.1:${port}`, { ...load, asks })
    return (asks * 1000) / (performance.now() - from)
  }
  // The first asks make each object's file.
  await eventually(() => ask(load.entities * 2))
  const first = await ask(4000)
  return {
    name: "workerd Durable Objects",
    version,
    folder,
    round: (seconds) => ask(Math.ceil(first * seconds)),
    stop
  }
}

const restateProgram = (port: number) => `
import * as restate from "@restatedev/restate-sdk"
const app = restate.object({
  name: "App",
  handlers: { set: async (context, health) => { context.set("health", health) } }
})
restate.endpoint().bind(app).listen(${port})
`

const startRestate = async (folder: string, { callers, entities }: Load): Promise<DurableRival> => {
  install(folder, "@restatedev/restate-server", "@restatedev/restate-sdk")
  const [service, ingress, admin, node] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort()
  ]
  writeFileSync(join(folder, "service.mjs"), restateProgram(service))
  const binary = join(folder, `node_modules/@restatedev/restate-server-${platform}/bin/restate-server`)
  const version = execFileSync(binary, ["--version"], { encoding: "utf8" }).trim()
  const stopService = run(process.execPath, [join(folder, "service.mjs")])
  const stopServer = run(binary, ["--base-dir", join(folder, "data")], {
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
    DO_NOT_TRACK: "1"
  })
  const stop = async () => {
    await stopServer()
    await stopService()
  }
  const set = (n: number) =>
    post(`http://127.0.0.1:${ingress}/App/${(n * 7919) % entities}/set`, {
      path: `/up/${n}`,
      startupSeconds: 5
    })
  try {
    await eventually(() =>
      post(`http://127.0.0.1:${admin}/deployments`, { uri: `http://127.0.0.1:${service}` })
    )
    await eventually(() => set(1))
  } catch (problem) {
    await stop()
    throw problem
  }
  return {
    name: "Restate virtual objects",
    version,
    folder,
    round: async (seconds) => {
      let answers = 0
      const from = performance.now()
      const until = from + seconds * 1000
      const caller = async (first: number) => {
        for (let n = first; performance.now() < until; n += callers) {
          await set(n)
          answers++
        }
      }
      await Promise.all(Array.from({ length: callers }, (_, first) => caller(first)))
      return (answers * 1000) / (performance.now() - from)
    },
    stop
  }
}

/** Those that could be started. */
export const fetchRivals = async (
  load: Load,
  progress: (line: string) => void
): Promise<ReadonlyArray<DurableRival>> => {
  const started: Array<DurableRival> = []
  for (const [name, startRival] of [
    ["workerd", startWorkerd],
    ["Restate", startRestate]
  ] as const) {
    const folder = mkdtempSync(join(tmpdir(), "starform-rival-"))
    try {
      progress(`Fetching and starting ${name}`)
      started.push(await startRival(folder, load))
    } catch (problem) {
      rmSync(folder, { recursive: true, force: true })
      progress(`${name} is left out: ${problem instanceof Error ? problem.message : String(problem)}`)
    }
  }
  return started
}
