import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ImageStore } from "@starform/launchpad/runtime/ImageStore"
import { built, eventually, type SourceFiles, withBuilder } from "./BuilderHarness.ts"

const freePort = Effect.promise(
  () =>
    new Promise<number>((resolve) => {
      const server = createServer().listen(0, "127.0.0.1", () => {
        const address = server.address()
        server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
      })
    })
)

/** Builds the site, starts it as the runtime would, and gives the address. */
const served = Effect.fnUntraced(function* (files: SourceFiles) {
  const { image, processes } = yield* built(files)
  const { rootDirectory, config } = yield* (yield* ImageStore).prepare(image)
  const [program = "", ...rest] = processes[0]?.command ?? []
  const port = yield* freePort
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(program, rest, {
        cwd: join(rootDirectory, config.workingDirectory),
        env: { ...config.environment, PORT: `${port}` },
        stdio: "ignore"
      })
    ),
    (child: ChildProcess) =>
      Effect.promise(
        () =>
          new Promise((resolve) => {
            child.once("exit", resolve)
            child.kill("SIGTERM")
          })
      )
  )
  const address = `http://127.0.0.1:${port}`
  const answers = Effect.promise(() =>
    fetch(address).then(
      () => true,
      () => false
    )
  )
  yield* eventually(answers, () => "the site does not answer")
  return address
})

const get = (url: string, headers: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const response = await fetch(url, { headers, redirect: "manual" })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

const site = {
  "index.html": "<h1>home</h1>",
  "404.html": "nothing here",
  "docs/index.html": "docs",
  "app.js": "0123456789",
  ".env": "SECRET=1",
  "starform.json": "{}"
}

describe("a static site", () => {
  it.live("is served with types, entity tags, ranges and its own page for what is missing", () =>
    withBuilder(
      Effect.gen(function* () {
        const address = yield* served(site)
        const home = yield* get(`${address}/`)
        assert.deepStrictEqual(
          [home.status, home.text, home.headers.get("content-type")],
          [200, "<h1>home</h1>", "text/html; charset=utf-8"]
        )
        const again = yield* get(`${address}/`, { "if-none-match": home.headers.get("etag") ?? "" })
        assert.strictEqual(again.status, 304)
        const part = yield* get(`${address}/app.js`, { range: "bytes=2-4" })
        assert.deepStrictEqual([part.status, part.text], [206, "234"])
        assert.strictEqual((yield* get(`${address}/docs`)).headers.get("location"), "/docs/")
        assert.strictEqual((yield* get(`${address}/docs/`)).text, "docs")
        const missing = yield* get(`${address}/none`)
        assert.deepStrictEqual([missing.status, missing.text], [404, "nothing here"])
      })
    )
  )

  it.live("does not hand out what is hidden, what configures the build, or what lies outside", () =>
    withBuilder(
      Effect.gen(function* () {
        const address = yield* served(site)
        for (const path of ["/.env", "/starform.json", "/%2e%2e/static-site.mjs", "/..%2fstatic-site.mjs"]) {
          assert.strictEqual((yield* get(address + path)).status, 404, path)
        }
      })
    )
  )

  it.live("is what the build command made", () =>
    withBuilder(
      Effect.gen(function* () {
        const address = yield* served({
          "index.html": "template",
          "starform.json": JSON.stringify({ build: "mkdir dist && echo built > dist/index.html" })
        })
        assert.strictEqual((yield* get(`${address}/`)).text, "built\n")
      })
    )
  )
})
