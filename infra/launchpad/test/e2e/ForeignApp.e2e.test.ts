/** An app that nobody wrote for Starform: the layout of Express's own generator, its lockfile, its start script. */
import { cpSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { AppRepository } from "./AppRepository.ts"
import { ask, hostOf, remoteOf } from "./LaunchedPlatform.ts"
import { platformOfFile } from "./PlatformOfFile.ts"

const platform = platformOfFile()

describe("an Express app", () => {
  it("goes live by git push as it is, and a change of one file installs nothing anew", async () => {
    const repository = new AppRepository()
    cpSync(join(import.meta.dirname, "fixtures", "express-app"), repository.folder, { recursive: true })
    const remote = remoteOf(platform(), "notes")
    const first = await repository.push(remote, {})
    assert.strictEqual(first.status, 0, first.output)
    assert.include(first.output, "$ npm ci")
    assert.deepStrictEqual(await ask(platform(), hostOf("notes")), { status: 200, body: "<h1>Notes</h1>" })
    assert.deepStrictEqual(await ask(platform(), hostOf("notes"), "/notes"), { status: 200, body: "[]" })
    assert.strictEqual((await ask(platform(), hostOf("notes"), "/stylesheets/style.css")).status, 200)
    assert.strictEqual((await ask(platform(), hostOf("notes"), "/nothing")).status, 404)

    const second = await repository.push(remote, { "public/hello.txt": "hello" })
    assert.strictEqual(second.status, 0, second.output)
    assert.include(second.output, "dependencies are unchanged: nothing to install")
    assert.strictEqual((await ask(platform(), hostOf("notes"), "/hello.txt")).body, "hello")
    repository.remove()
  }, 120_000)
})

describe("an app without a web process", () => {
  it("is live at no address, and says what runs no copies", async () => {
    const repository = new AppRepository()
    const pushed = await repository.push(remoteOf(platform(), "jobs"), {
      Procfile: "worker: while true; do sleep 1; done\n"
    })
    assert.strictEqual(pushed.status, 0, pushed.output)
    assert.include(pushed.output, "✓ live (")
    assert.notInclude(pushed.output, "live at http")
    assert.include(pushed.output, "worker runs no copies; this starts one:")
    assert.match(pushed.output, /npm --prefix \S+ run starform -- scale worker=1 -a \S+\/jobs\n/)
    repository.remove()
  })
})
