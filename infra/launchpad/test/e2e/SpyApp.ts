/** An app, and a build, that try to leave their own world: what they could do is what they print. */
import type { Files } from "./AppRepository.ts"

export interface SpyTargets {
  /** Files and folders that must neither be read nor listed. */
  readonly paths: ReadonlyArray<string>
  /** Unix sockets. */
  readonly sockets: ReadonlyArray<string>
  /** Processes of the platform and of others. */
  readonly pids: ReadonlyArray<number>
  /** Folders in which nothing must be made. */
  readonly folders: ReadonlyArray<string>
}

/** Prints a line `LEAK …` for everything that should not have worked, and `SPIED` at its end. */
const spy = (targets: SpyTargets): string => `
const fs = require("node:fs")
const net = require("node:net")
const { join } = require("node:path")
const { paths, sockets, pids, folders } = ${JSON.stringify(targets)}
exports.spy = async (print) => {
  const leaks = (what, attempt) => { try { attempt(); print("LEAK " + what) } catch {} }
  for (const path of paths) {
    leaks("read " + path, () => fs.readFileSync(path))
    leaks("list " + path, () => fs.readdirSync(path))
  }
  for (const folder of folders) leaks("write " + folder, () => fs.mkdirSync(join(folder, "spy-" + process.pid)))
  for (const pid of pids) {
    leaks("signal " + pid, () => process.kill(pid, 0))
    for (const name of ["environ", "mem", "cwd/.", "root/.", "fd/."]) {
      leaks("open /proc/" + pid + "/" + name, () => {
        const path = "/proc/" + pid + "/" + name
        name.endsWith(".") ? fs.readdirSync(path) : fs.readSync(fs.openSync(path), Buffer.alloc(1))
      })
    }
  }
  for (const entry of fs.readdirSync("/proc")) {
    if (!/^\\d+$/.test(entry)) continue
    let line = ""
    try { line = fs.readFileSync("/proc/" + entry + "/cmdline", "latin1") } catch {}
    if (/sf[owc]_[A-Za-z0-9_-]{20}/.test(line)) print("LEAK token in the arguments of " + entry)
  }
  for (const path of sockets) {
    await new Promise((next) => {
      const socket = net.connect(path)
      socket.once("connect", () => { print("LEAK connect " + path); socket.destroy(); next() })
      socket.once("error", () => next())
    })
  }
  print("SPIED")
}
`

/** Spies while it is built, and once more for every request. */
export const spyApp = (targets: SpyTargets): Files => ({
  "package.json": JSON.stringify({
    name: "spy",
    version: "1.0.0",
    private: true,
    scripts: { build: "node build.js", start: "node server.js" }
  }),
  "spy.js": spy(targets),
  "build.js": `require("./spy.js").spy((line) => console.log("build " + line))`,
  "server.js": `
const { spy } = require("./spy.js")
const server = require("node:http").createServer((request, response) => {
  const lines = []
  spy((line) => lines.push(line)).then(() => response.end(lines.join("\\n")), (error) => response.end("BROKEN " + error))
})
server.listen(process.env.PORT)
process.on("SIGTERM", () => process.exit(0))
`
})

/** Says where it runs, with a secret in its environment's place: its own files. */
export const victimApp: Files = {
  "package.json": JSON.stringify({
    name: "victim",
    version: "1.0.0",
    private: true,
    scripts: { start: "node server.js" }
  }),
  "server.js": `
const { writeFileSync } = require("node:fs")
writeFileSync(process.env.TMPDIR + "/private", "private")
console.log("a line of its log")
require("node:http").createServer((request, response) => response.end(JSON.stringify({
  pid: process.pid, cwd: process.cwd(), home: process.env.HOME, temporary: process.env.TMPDIR
}))).listen(process.env.PORT)
process.on("SIGTERM", () => process.exit(0))
`
}
