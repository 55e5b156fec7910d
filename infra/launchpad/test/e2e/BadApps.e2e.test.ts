/** Apps that cannot become live: each push says which phase failed, why, and what to do; nothing that was live is touched. */
import { assert, describe, it } from "vitest"
import { RequestId } from "@starform/domain/ids/Ids"
import { AppRepository, type Files, nodeApp } from "./AppRepository.ts"
import { ask, hostOf, remoteOf } from "./LaunchedPlatform.ts"

import { appOf, asWorkspace } from "./PlatformApi.ts"
import { platformOfFile } from "./PlatformOfFile.ts"

const platform = platformOfFile()

const packageJson = (fields: object) =>
  JSON.stringify({ name: "app", version: "1.0.0", private: true, ...fields })

const listening = (where: string) => ({
  "package.json": packageJson({ scripts: { start: "node server.js" } }),
  "server.js": `require("node:http").createServer((request, response) => response.end("up")).listen(${where})`
})

interface Case {
  readonly files: Files
  /** Set by the API before the push; 60 otherwise. */
  readonly startupSeconds?: number
  /** All of them are in what the person sees. */
  readonly says: ReadonlyArray<string>
}

const cases: Readonly<Record<string, Case>> = {
  "nothing that can be detected": {
    files: { "notes.txt": "no app" },
    says: ["The build failed", "package.json", "Procfile", "Dockerfile", "index.html"]
  },
  "a Dockerfile only": {
    files: { Dockerfile: "FROM scratch\n" },
    says: ["The build failed", "Dockerfile", "container"]
  },
  "no start command": {
    files: { "package.json": packageJson({}) },
    says: ["The build failed", "start"]
  },
  "a malformed package.json": { files: { "package.json": "{" }, says: ["The build failed", "package.json"] },
  "a malformed starform.json": {
    files: { ...nodeApp("x"), "starform.json": `{"health": 3}` },
    says: ["The build failed", "starform.json"]
  },
  "an install that fails": {
    files: {
      "package.json": packageJson({
        scripts: { start: "node server.js", preinstall: "echo cannot go on; exit 9" }
      })
    },
    says: ["The build failed", "cannot go on"]
  },
  "a build that fails": {
    files: {
      "package.json": packageJson({
        scripts: { start: "node server.js", build: "echo the types are wrong; exit 2" }
      })
    },
    says: ["The build failed", "the types are wrong", "2"]
  },
  "an app that exits at once": {
    files: nodeApp("x", `console.log("no database configured"); process.exit(4)`),
    says: ["did not become healthy", "no database configured", "4"]
  },
  "an app on another port than PORT": {
    files: listening("8123"),
    says: ["did not become healthy", "8123", "PORT"]
  },
  "an app on an address that is not reachable": {
    files: listening(`process.env.PORT, "::1"`),
    says: ["did not become healthy", "::1"]
  },
  "a health check that never passes": {
    files: {
      "package.json": packageJson({ scripts: { start: "node server.js" } }),
      "server.js": `require("node:http").createServer((request, response) => {
        response.statusCode = request.url === "/health" ? 500 : 200
        response.end("up")
      }).listen(process.env.PORT)`,
      "starform.json": `{"health": {"path": "/health"}}`
    },
    startupSeconds: 2,
    says: ["did not become healthy", "/health", "statuscode: 500"]
  },
  "Git LFS pointers": {
    files: {
      ...nodeApp("x"),
      "logo.png":
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
    },
    says: ["LFS", "logo.png"]
  }
}

describe.concurrent("a push of", () => {
  for (const [name, { files, says, startupSeconds }] of Object.entries(cases)) {
    it(`${name} is refused in words, and leaves what is live`, async () => {
      const repository = new AppRepository()
      const service = `bad-${name
        .toLowerCase()
        .replaceAll(/[^a-z]+/g, "-")
        .slice(0, 40)
        .replace(/-$/, "")}`
      const remote = remoteOf(platform(), service)
      const good = await repository.push(remote, nodeApp("good"))
      assert.strictEqual(good.status, 0, good.output)
      if (startupSeconds !== undefined) {
        await asWorkspace(platform(), (client) =>
          client.SetHealthCheck({
            requestId: RequestId.make("patience"),
            app: appOf(service),
            health: { path: null, startupSeconds }
          })
        )
      }
      await repository.git("rm", "--quiet", "-r", ".")
      const bad = await repository.push(remote, files)
      assert.strictEqual(bad.status, 1, bad.output)
      assert.include(bad.output, "[remote rejected]")
      for (const text of says) assert.isTrue(bad.output.includes(text), `${text} is not in:\n${bad.output}`)
      assert.deepStrictEqual(await ask(platform(), hostOf(service)), { status: 200, body: "good" })
      repository.remove()
    }, 90_000)
  }

  it("an app that is slow to boot says so while it waits, and goes live", async () => {
    const repository = new AppRepository()
    const slow = {
      "package.json": packageJson({ scripts: { start: "node server.js" } }),
      "server.js": `setTimeout(() => require("node:http").createServer((request, response) => response.end("at last"))
        .listen(process.env.PORT), 15_000)`
    }
    const pushed = await repository.push(remoteOf(platform(), "slow"), slow)
    assert.strictEqual(pushed.status, 0, pushed.output)
    assert.match(pushed.output, /still deploying \(\d+ s\)\s*\n/)
    assert.match(pushed.output, /still deploying \(\d+ s\): nothing listens on the port in PORT/)
    assert.deepStrictEqual(await ask(platform(), hostOf("slow")), { status: 200, body: "at last" })
    repository.remove()
  }, 60_000)
})
