/**
 * Durable Objects of workerd. The callers are inside the same process: no socket between them and the objects. Time stands
 * still in a worker between its inputs, so a round is counted in asks.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort } from "./freePort.ts"
import { eventually, install, type Load, post, type Rival, run, versionOf } from "./rivals.ts"

/** What an ask is: the value of an object in memory is read, or one is written and is durable when it is answered. */
export type WorkerdAsk = "read" | "write"

const program = `
import { DurableObject } from "cloudflare:workers"
export class App extends DurableObject {
  fill(value) { this.value = value }
  read() { return this.value }
  async write(value) {
    this.ctx.storage.put("value", value)
    await this.ctx.storage.sync()
  }
}
export default {
  async fetch(request, { APPS }) {
    const { ask, value, asks, callers, entities } = await request.json()
    const objects = Array.from({ length: entities }, (_, n) => APPS.get(APPS.idFromName(String(n))))
    const given = (n) => (ask === "read" ? undefined : { ...value, n })
    const caller = async (first) => {
      for (let n = first; n < asks; n += callers) await objects[(n * 7919) % entities][ask](given(n))
    }
    await Promise.all(Array.from({ length: callers }, (_, first) => caller(first)))
    return new Response("ok")
  }
}
`

const config = (port: number, disk: string | undefined) => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)${
    disk === undefined ? "" : `, (name = "disk", disk = (path = "${disk}", writable = true))`
  }],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2025-01-01",
  durableObjectNamespaces = [(className = "App", uniqueKey = "app", enableSql = ${disk !== undefined})],
  durableObjectStorage = ${disk === undefined ? "(inMemory = void)" : '(localDisk = "disk")'},
  bindings = [(name = "APPS", durableObjectNamespace = "App")]
);
`

/** @errors with what npm or workerd said */
export const startWorkerd = async (
  folder: string,
  load: Load,
  ask: WorkerdAsk,
  value: object
): Promise<Rival> => {
  install(folder, "workerd")
  const port = await freePort()
  const disk = join(folder, "objects")
  mkdirSync(disk)
  writeFileSync(join(folder, "worker.js"), program)
  writeFileSync(join(folder, "config.capnp"), config(port, ask === "write" ? disk : undefined))
  const platform = `workerd-${process.platform}-${process.arch === "x64" ? "64" : process.arch}`
  const binary = join(folder, "node_modules/@cloudflare", platform, "bin/workerd")
  const version = versionOf(binary)
  const stop = run(binary, ["serve", join(folder, "config.capnp")])
  const asking = async (what: "fill" | WorkerdAsk, asks: number) => {
    const from = performance.now()
    await post(`http://127.0.0.1:${port}`, { ...load, ask: what, value, asks })
    return (asks * 1000) / (performance.now() - from)
  }
  try {
    // Every object has its value, and its file where it has one.
    await eventually(() => asking(ask === "read" ? "fill" : "write", load.entities))
    const first = await asking(ask, 4 * load.entities)
    return {
      name: "workerd Durable Objects",
      version,
      round: (seconds) => asking(ask, Math.ceil(first * seconds)),
      stop
    }
  } catch (problem) {
    await stop()
    throw problem
  }
}
