/** The whole platform as a person starts it: `main.ts` as a process of its own, on ports and in a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import * as http from "node:http"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const checkout = resolve(import.meta.dirname, "../../../..")
const program = join(checkout, "infra/launchpad/src/main.ts")

/** The network settings that a person's shell has, and nothing else of the test's environment. */
const environment = (): Record<string, string> =>
  Object.fromEntries(
    [
      "PATH",
      "HOME",
      "NODE_EXTRA_CA_CERTS",
      "SSL_CERT_FILE",
      "HTTPS_PROXY",
      "https_proxy",
      "npm_config_registry"
    ].flatMap((key) => {
      const value = process.env[key]
      return value === undefined ? [] : [[key, value]]
    })
  )

const canListen = (port: number): Promise<boolean> =>
  new Promise((answer) => {
    const server = createServer()
    server.once("error", () => answer(false))
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => answer(true)))
  })

/** Six free ports in a row, below the ephemeral range; where the search begins depends on the process. */
export const freePortBase = async (): Promise<number> => {
  for (let attempt = 0; attempt < 500; attempt++) {
    const base = 10_000 + ((process.pid * 64 + attempt * 8) % 9_000)
    const free = await Promise.all([0, 1, 2, 3, 4, 5].map((offset) => canListen(base + offset)))
    if (free.every(Boolean)) return base
  }
  throw new Error("no six free ports in a row")
}

export interface Platform {
  readonly portBase: number
  readonly stateDirectory: string
  readonly child: ChildProcess
  /** Everything that it has printed. */
  readonly output: () => string
  /** Resolves to its exit status. */
  readonly exited: Promise<number | NodeJS.Signals | null>
  /** Ctrl-C, and the wait for the end. */
  readonly stop: () => Promise<number | NodeJS.Signals | null>
}

/** Starts it and waits until it says that it is ready. */
export const start = async (options: {
  readonly stateDirectory: string
  readonly portBase: number
  readonly words?: ReadonlyArray<string>
  /** Numeric user and group to run as; only root can choose. */
  readonly user?: number
  /** Returns as soon as the process runs. */
  readonly isNotAwaited?: boolean
}): Promise<Platform> => {
  const words = [
    "--port-base",
    String(options.portBase),
    "--state",
    options.stateDirectory,
    ...(options.words ?? [])
  ]
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, ...words], {
    cwd: checkout,
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    ...(options.user === undefined ? {} : { uid: options.user, gid: options.user })
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8")
    stream.on("data", (text: string) => (output += text))
  }
  const exited = new Promise<number | NodeJS.Signals | null>((end) =>
    child.once("close", (code, signal) => end(code ?? signal))
  )
  const platform: Platform = {
    portBase: options.portBase,
    stateDirectory: options.stateDirectory,
    child,
    output: () => output,
    exited,
    stop: () => {
      child.kill("SIGINT")
      return exited
    }
  }
  if (options.isNotAwaited === true) return platform
  const isEnded = { value: false }
  void exited.then(() => (isEnded.value = true))
  await until(
    () => output.includes("Starform is ready") || isEnded.value,
    () => output,
    60
  )
  if (isEnded.value) throw new Error(`the platform ended:\n${output}`)
  return platform
}

/** A folder that every user can pass through, as a checkout's is. */
export const stateFolder = (): string => mkdtempSync(join(tmpdir(), "starform-e2e-"))

export const removeState = (folder: string): void => rmSync(folder, { recursive: true, force: true })

/** Polls; fails with what `shown` says at the deadline. */
export const until = async (
  holds: () => boolean | Promise<boolean>,
  shown: () => unknown,
  seconds = 20
): Promise<void> => {
  const deadline = performance.now() + seconds * 1000
  while (!(await holds())) {
    if (performance.now() > deadline) {
      const facts = shown()
      throw new Error(
        `not in ${seconds} s:\n${typeof facts === "string" ? facts : JSON.stringify(facts, null, 1)}`
      )
    }
    await new Promise((next) => setTimeout(next, 20))
  }
}

const secret = (platform: Platform, name: string): string =>
  readFileSync(join(platform.stateDirectory, "secrets", name), "utf8").trim()

export const workspaceToken = (platform: Platform): string => secret(platform, "workspace-token")
export const operatorToken = (platform: Platform): string => secret(platform, "operator-token")

/** The remote of a service in the local workspace's project. */
export const remoteOf = (platform: Platform, service: string, token = workspaceToken(platform)): string =>
  `http://starform:${token}@127.0.0.1:${platform.portBase}/git/local/demo/${service}.git`

export const modeOf = (path: string): number => statSync(path).mode & 0o777

export interface Answer {
  readonly status: number
  readonly body: string
}

/** One request to the gateway, by Host header. */
export const ask = (platform: Platform, host: string, path = "/", agent?: http.Agent): Promise<Answer> =>
  new Promise((answer, reject) => {
    const options = { host: "127.0.0.1", port: platform.portBase + 1, path, headers: { host } }
    const request = http.get(agent === undefined ? options : { ...options, agent }, (response) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => (body += part))
      response.on("end", () => answer({ status: response.statusCode ?? 0, body }))
      response.on("error", reject)
    })
    request.on("error", reject)
  })

export const hostOf = (service: string): string => `${service}-demo.localhost`

export interface Load {
  readonly sent: number
  readonly failures: ReadonlyArray<string>
  /** How often each body came. */
  readonly bodies: ReadonlyMap<string, number>
}

/** Constant load; everything but 200 is a failure. `end` waits for the requests in flight. */
export const startLoad = (platform: Platform, host: string, perSecond: number) => {
  const agent = new http.Agent({ keepAlive: true })
  const failures: Array<string> = []
  const bodies = new Map<string, number>()
  const open = new Set<Promise<void>>()
  let sent = 0
  const one = () =>
    ask(platform, host, "/", agent).then(
      ({ status, body }) => {
        if (status === 200) bodies.set(body, (bodies.get(body) ?? 0) + 1)
        else failures.push(`${status} ${body}`)
      },
      (error: unknown) => void failures.push(String(error))
    )
  const startedAt = performance.now()
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond)
    for (; sent < due; sent++) {
      const promise = one()
      open.add(promise)
      void promise.finally(() => open.delete(promise))
    }
  }, 5)
  return {
    sent: () => sent,
    bodies,
    end: async (): Promise<Load> => {
      clearInterval(timer)
      await Promise.all(open)
      agent.destroy()
      return { sent, failures, bodies }
    }
  }
}
