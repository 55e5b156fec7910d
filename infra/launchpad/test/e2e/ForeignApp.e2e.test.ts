/** An app that nobody wrote for Starform: the layout of Express's own generator, its lockfile, its start script. */
import { cpSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { AppRepository } from "./AppRepository.ts"
import {
  ask,
  freePortBase,
  hostOf,
  type Platform,
  remoteOf,
  removeState,
  start,
  stateFolder
} from "./LaunchedPlatform.ts"

const state = stateFolder()
let platform: Platform

beforeAll(async () => {
  platform = await start({ stateDirectory: state, portBase: await freePortBase(), words: ["--no-sample"] })
}, 60_000)

afterAll(async () => {
  await platform.stop()
  removeState(state)
}, 40_000)

describe("an Express app", () => {
  it("goes live by git push as it is, and a change of one file installs nothing anew", async () => {
    const repository = new AppRepository()
    cpSync(join(import.meta.dirname, "fixtures", "express-app"), repository.folder, { recursive: true })
    const remote = remoteOf(platform, "notes")
    const first = await repository.push(remote, {})
    assert.strictEqual(first.status, 0, first.output)
    assert.include(first.output, "$ npm ci")
    assert.deepStrictEqual(await ask(platform, hostOf("notes")), { status: 200, body: "<h1>Notes</h1>" })
    assert.deepStrictEqual(await ask(platform, hostOf("notes"), "/notes"), { status: 200, body: "[]" })
    assert.strictEqual((await ask(platform, hostOf("notes"), "/stylesheets/style.css")).status, 200)
    assert.strictEqual((await ask(platform, hostOf("notes"), "/nothing")).status, 404)

    const second = await repository.push(remote, { "public/hello.txt": "hello" })
    assert.strictEqual(second.status, 0, second.output)
    assert.include(second.output, "dependencies are unchanged: nothing to install")
    assert.strictEqual((await ask(platform, hostOf("notes"), "/hello.txt")).body, "hello")
    repository.remove()
  }, 120_000)
})
