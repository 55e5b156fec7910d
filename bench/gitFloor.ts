/** The least that a push over HTTP costs: git's own `http-backend` over a bare repository, and nothing behind it. */
import { execFileSync, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const startGitFloor = async () => {
  const root = mkdtempSync(join(tmpdir(), "starform-floor-"))
  const repository = join(root, "app.git")
  execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", repository])
  execFileSync("git", ["-C", repository, "config", "http.receivepack", "true"])
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost")
    const child = spawn("git", ["http-backend"], {
      env: {
        PATH: process.env["PATH"] ?? "",
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: "1",
        REMOTE_USER: "bench",
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method ?? "GET",
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
        GIT_PROTOCOL: String(request.headers["git-protocol"] ?? "")
      }
    })
    request.pipe(child.stdin)
    const parts: Array<Buffer> = []
    child.stdout.on("data", (part: Buffer) => parts.push(part))
    child.once("close", () => {
      const answer = Buffer.concat(parts)
      const end = answer.indexOf("\r\n\r\n")
      for (const line of answer.subarray(0, end).toString("latin1").split("\r\n")) {
        const colon = line.indexOf(":")
        const name = line.slice(0, colon)
        if (name === "Status") response.statusCode = Number.parseInt(line.slice(colon + 1), 10)
        else response.setHeader(name, line.slice(colon + 1).trim())
      }
      response.end(answer.subarray(end + 4))
    })
  })
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready))
  return {
    remote: `http://127.0.0.1:${(server.address() as AddressInfo).port}/app.git`,
    stop: () => {
      server.close()
      rmSync(root, { recursive: true, force: true })
    }
  }
}
