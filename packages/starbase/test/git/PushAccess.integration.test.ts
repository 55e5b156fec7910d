/** Who may push and fetch, what everyone else hears, and what of this machine reaches git (INV-GIT-3, INV-GIT-4, INV-GIT-5). */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { Slug } from "@starform/domain/ids/Slug"
import { Directory } from "@starform/starbase/api/Directory"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { GitConfig } from "@starform/starbase/git/GitConfig"
import { GitHooks } from "@starform/starbase/git/GitHooks"
import { Authenticator } from "@starform/starbase/security/Authenticator"
import { hash } from "@starform/starbase/security/Token"
import * as ApiWorld from "../harness/ApiWorld.ts"
import * as GitClone from "../harness/GitClone.ts"
import * as GitWorld from "../harness/GitWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

const builds = new GitWorld.Builds()

const tokenAdvice = "A valid one is on the first page of the handbook."

const layer = GitWorld.layerNew.pipe(
  Layer.provideMerge(StarbaseProcess.layer(builds.script, { tokenAdvice }))
)

const readToken = Redacted.make(`sfw_${ApiWorld.workspaceId}_${"r".repeat(43)}`)
const wrongToken = Redacted.make(`sfw_${ApiWorld.workspaceId}_${"x".repeat(43)}`)

/** What git says to a push, without the URL, which differs anyway. */
const refusalOf = Effect.fnUntraced(function* (service: string, name: GitWorld.RemoteName) {
  const clone = yield* GitClone.empty
  yield* clone.commit({ app: "1" })
  const { status, output } = yield* clone.run("push", yield* GitWorld.remoteOf(service, name), "main")
  return { status, output: output.replaceAll(/http:\S+/g, "URL") }
})

/** What the hooks' socket answers to one line. */
const askSocket = Effect.fnUntraced(function* (request: object) {
  const { socketPath } = yield* GitConfig
  return yield* Effect.callback<string>((resume) => {
    let text = ""
    const socket = connect(socketPath, () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on("data", (chunk) => (text += chunk.toString()))
    socket.on("close", () => resume(Effect.succeed(text)))
    socket.on("error", () => resume(Effect.succeed("no answer")))
  })
})

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("PushAccess", (it) => {
  it.effect(
    "a wrong token, an agent's token and somebody else's password are refused alike, and told where a valid one is",
    () =>
      Effect.gen(function* () {
        const texts = [wrongToken, ApiWorld.agentToken, Redacted.make("hunter2"), Redacted.make("")]
        const refusals = yield* Effect.forEach(texts, (token) => refusalOf("api", { token }))
        for (const refusal of refusals.slice(0, 3)) {
          assert.strictEqual(refusal.status, 128)
          assert.include(refusal.output, "Authentication failed")
          assert.include(
            refusal.output,
            `This token is not valid. Use a token of the workspace. ${tokenAdvice}`
          )
          assert.deepStrictEqual(refusal, refusals[0])
        }
        assert.strictEqual(refusals[3]?.status, 128)
      })
  )

  it.effect("without a token git asks for one", () =>
    Effect.gen(function* () {
      const refusal = yield* refusalOf("api", { token: null })
      assert.strictEqual(refusal.status, 128)
      assert.include(refusal.output, "could not read Username")
    })
  )

  it.effect(
    "INV-GIT-3: another workspace and an unknown one are the same answer; an unknown project is as little there",
    () =>
      Effect.gen(function* () {
        const token = ApiWorld.strangerToken
        const hidden = yield* refusalOf("api", { token, workspace: "acme" })
        const unknown = yield* refusalOf("api", { token, workspace: "acne" })
        assert.strictEqual(hidden.status, 128)
        assert.include(hidden.output, `There is no workspace "acme" here, or you have no access to it.`)
        assert.include(hidden.output, "not found")
        assert.strictEqual(hidden.output.replaceAll("acme", "acne"), unknown.output)
        const project = yield* refusalOf("api", { project: "shoq" })
        assert.strictEqual(project.status, 128)
        assert.include(project.output, `There is no project "shoq" here, or you have no access to it.`)
        assert.include(project.output, "not found")
      })
  )

  it.effect("git is asked for the service that was authorised, whatever else the query says", () =>
    Effect.gen(function* () {
      const remote = new URL(yield* GitWorld.remoteOf("api"))
      const authorization = `Basic ${btoa(`${remote.username}:${remote.password}`)}`
      const asked = async (query: string) => {
        const address = `${remote.origin}${remote.pathname}/info/refs?${query}`
        const answer = await fetch(address, { headers: { authorization } })
        return (await answer.text()).slice(4, 40).split("\n")[0]
      }
      const both = "service=git-receive-pack&service=git-upload-pack"
      assert.strictEqual(yield* Effect.promise(() => asked(both)), "# service=git-receive-pack")
      assert.strictEqual(yield* Effect.promise(() => asked(`${both}&x=1`)), "# service=git-receive-pack")
    })
  )

  it.effect("a URL without .git is told the one that it should be, token or not", () =>
    Effect.gen(function* () {
      const { publicUrl } = yield* GitConfig
      const clone = yield* GitClone.empty
      yield* clone.commit({ app: "1" })
      for (const token of [ApiWorld.workspaceToken, wrongToken]) {
        const remote = (yield* GitWorld.remoteOf("api", { token })).replace(/\.git$/, "")
        const { status, output } = yield* clone.run("push", remote, "main")
        assert.strictEqual(status, 128)
        assert.include(output, `URL: it must end in .git: ${publicUrl}/git/acme/shop/api.git`)
        assert.notInclude(output.split("\n")[0], Redacted.value(token))
      }
    })
  )

  it.effect("a name that cannot be one is told the rule", () =>
    Effect.gen(function* () {
      for (const [service, project] of [
        ["No_Name", "shop"],
        ["api", "Shop!"],
        ["-api", "shop"]
      ] as const) {
        const refusal = yield* refusalOf(service, { project })
        assert.strictEqual(refusal.status, 128)
        assert.include(refusal.output, "is not a name: 2–63 lower-case letters, digits and inner hyphens")
      }
    })
  )

  it.effect("a token that may not write fetches and does not push", () =>
    Effect.gen(function* () {
      const entities = yield* EntityClients
      yield* entities.tenant(ApiWorld.workspaceId, (tenant) =>
        tenant.AddToken({
          requestId: ApiWorld.requestId(),
          principal: { _tag: "Operator" },
          token: { id: "reader", hash: hash(readToken), canWrite: false }
        })
      )
      yield* (yield* Authenticator).forget(ApiWorld.workspaceId)
      const clone = yield* GitClone.empty
      const commit = yield* clone.commit({ app: "readable" })
      yield* clone.git("push", "--quiet", yield* GitWorld.remoteOf("readable"), "main")
      const remote = yield* GitWorld.remoteOf("readable", { token: readToken })
      const other = yield* GitClone.of(remote)
      assert.strictEqual(yield* other.git("rev-parse", "HEAD"), commit)
      const next = yield* other.commit({ app: "written" })
      const pushed = yield* other.run("push", remote, "main")
      assert.strictEqual(pushed.status, 128)
      assert.include(pushed.output, "You may not write here with this token.")
      assert.include(pushed.output, "403")
      assert.notInclude(yield* GitWorld.acceptedCommits, next)
    })
  )

  it.effect("INV-GIT-4: a one-push token is refused the second time, and an invented one the first", () =>
    Effect.gen(function* () {
      const hooks = yield* GitHooks
      const directory = yield* Directory
      const principal = { _tag: "Operator" } as const
      const located = yield* directory.project(principal, Slug.make("acme"), Slug.make("shop"), "write")
      const token = yield* hooks.issue({ principal, located, service: Slug.make("api") })
      const commands = [{ before: "0".repeat(40), after: "1".repeat(40), ref: "refs/tags/v1" }]
      const request = { token, commands, options: [] }
      assert.include(yield* askSocket(request), "only branches are taken")
      const again = yield* askSocket(request)
      assert.include(again, "this push has expired; push again")
      assert.strictEqual(yield* askSocket({ ...request, token: "invented" }), again)
    })
  )

  it.effect("INV-GIT-5: neither this process's environment nor anybody's configuration reaches git", () =>
    Effect.gen(function* () {
      const { directory } = yield* GitConfig
      const hostile = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "hostile-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
      )
      const configuration = `[core]\n\thooksPath = ${hostile}\n[receive]\n\tdenyCurrentBranch = refuse\n\tmaxInputSize = 1\n`
      mkdirSync(join(hostile, ".config", "git"), { recursive: true })
      for (const path of [
        join(hostile, ".gitconfig"),
        join(hostile, ".config", "git", "config"),
        join(directory, ".gitconfig")
      ]) {
        writeFileSync(path, configuration)
      }
      const added = {
        HOME: hostile,
        XDG_CONFIG_HOME: join(hostile, ".config"),
        GIT_CONFIG_GLOBAL: join(hostile, ".gitconfig"),
        GIT_DIR: hostile,
        GIT_OBJECT_DIRECTORY: hostile,
        GIT_INDEX_FILE: join(hostile, "index"),
        GIT_EXEC_PATH: hostile
      }
      const before = Object.keys(added).map((key) => [key, process.env[key]] as const)
      yield* Effect.acquireRelease(
        Effect.sync(() => void Object.assign(process.env, added)),
        () =>
          Effect.sync(() => {
            for (const [key, value] of before) {
              if (value === undefined) delete process.env[key]
              else process.env[key] = value
            }
          })
      )
      const clone = yield* GitClone.empty
      const commit = yield* clone.commit({ app: "clean" })
      const remote = yield* GitWorld.remoteOf("clean")
      const pushed = yield* clone.run("push", remote, "main")
      assert.strictEqual(pushed.status, 0, pushed.output)
      assert.include(pushed.output, "✓ live at")
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), commit)
    })
  )
})
