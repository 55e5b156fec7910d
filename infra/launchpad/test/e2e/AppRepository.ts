/** A person's repository: files, commits and `git push`, by the real git, with nothing of this machine's configuration. */
import { type ChildProcess, spawn } from "node:child_process"
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

export type Files = Readonly<Record<string, string>>

export interface Ran {
  readonly status: number
  /** Both outputs, in the order in which they came. */
  readonly output: string
}

export interface Running {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<Ran>
}

const environment = (home: string): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: home,
  LANG: "C.UTF-8",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_AUTHOR_NAME: "A Developer",
  GIT_AUTHOR_EMAIL: "developer@example.com",
  GIT_COMMITTER_NAME: "A Developer",
  GIT_COMMITTER_EMAIL: "developer@example.com"
})

export class AppRepository {
  readonly folder: string

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "starform-app-"))
  }

  /** Starts git in the repository. */
  spawn(...args: ReadonlyArray<string>): Running {
    const child = spawn("git", [...args], { cwd: this.folder, env: environment(this.folder) })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8")
      stream.on("data", (text: string) => (output += text))
    }
    const ended = new Promise<Ran>((end) =>
      child.once("close", (code) => end({ status: code ?? -1, output: output.replaceAll(/ +$/gm, "") }))
    )
    return { child, output: () => output, ended }
  }

  run(...args: ReadonlyArray<string>): Promise<Ran> {
    return this.spawn(...args).ended
  }

  async git(...args: ReadonlyArray<string>): Promise<string> {
    const { status, output } = await this.run(...args)
    if (status !== 0) throw new Error(`git ${args.join(" ")}: ${output}`)
    return output.trim()
  }

  write(files: Files): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true })
      writeFileSync(join(this.folder, path), text)
    }
  }

  /** Sends a token with every request from the repository's configuration, so that no argument of git's shows it. */
  async signIn(token: string): Promise<void> {
    await this.git("init", "--quiet", "--initial-branch=main")
    const credential = Buffer.from(`starform:${token}`).toString("base64")
    appendFileSync(
      join(this.folder, ".git", "config"),
      `[http]\n\textraHeader = Authorization: Basic ${credential}\n`
    )
  }

  /** Commits everything and answers the commit. */
  async commit(files: Files, message = "Change"): Promise<string> {
    await this.git("init", "--quiet", "--initial-branch=main")
    this.write(files)
    await this.git("add", "--all")
    await this.git("commit", "--quiet", "--allow-empty", `--message=${message}`)
    return this.git("rev-parse", "HEAD")
  }

  /** Commits and pushes to `main`. */
  async push(remote: string, files: Files, ...options: ReadonlyArray<string>): Promise<Ran> {
    await this.commit(files)
    return this.run("push", ...options, remote, "HEAD:main")
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** An app that answers with `body`, and lets requests in flight end. */
export const nodeApp = (body: string, extra = ""): Files => ({
  "package.json": JSON.stringify({
    name: "app",
    version: "1.0.0",
    private: true,
    scripts: { start: "node server.js" }
  }),
  "server.js": `
const http = require("node:http")
${extra}
const server = http.createServer((request, response) => response.end(${JSON.stringify(body)}))
server.listen(process.env.PORT, () => console.log("listening"))
process.on("SIGTERM", () => { server.close(() => process.exit(0)); server.closeIdleConnections() })
`
})
