/** What becomes of the refs of a push: branches, tags, deletions, several at once, and trees that cannot be built. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { RequestId } from "@starform/domain/ids/Ids"
import { EnvironmentName, Slug } from "@starform/domain/ids/Slug"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { Authenticator } from "@starform/starbase/security/Authenticator"
import { hash } from "@starform/starbase/security/Token"
import * as ApiWorld from "../harness/ApiWorld.ts"
import * as GitClone from "../harness/GitClone.ts"
import * as GitWorld from "../harness/GitWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

const builds = new GitWorld.Builds()

const layer = GitWorld.layerNew.pipe(Layer.provideMerge(StarbaseProcess.layer(builds.script)))

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("PushedRefs", (it) => {
  it.effect("a first push creates the service, says so, goes live, and can be cloned and fetched", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("first")
      const missing = yield* clone.run("fetch", remote)
      assert.strictEqual(missing.status, 128)
      assert.include(missing.output, `There is no service "first" here`)
      const commit = yield* clone.commit({ "package.json": "{}" })
      const pushed = yield* clone.run("push", remote, "main")
      assert.strictEqual(pushed.status, 0, pushed.output)
      assert.include(pushed.output, `Created service "first" in project "shop".`)
      assert.include(pushed.output, "✓ live at http://first-shop.test")
      const other = yield* GitClone.of(remote)
      assert.strictEqual(yield* other.git("rev-parse", "HEAD"), commit)
      const next = yield* clone.commit({ "package.json": "{ }" })
      const second = yield* clone.run("push", remote, "main")
      assert.notInclude(second.output, "Created service")
      yield* other.git("fetch", "--quiet")
      assert.strictEqual(yield* other.git("rev-parse", "origin/main"), next)
    })
  )

  it.effect("a service that exists and was never pushed to clones as an empty repository", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const listed = yield* clone.run("ls-remote", yield* GitWorld.remoteOf("api"))
      assert.deepStrictEqual(listed, { status: 0, output: "" })
    })
  )

  it.effect("a push to a worker service deploys it as the worker that it is", () =>
    Effect.gen(function* () {
      const client = yield* ApiWorld.clientOf(ApiWorld.workspaceToken)
      yield* client.CreateService({
        requestId: ApiWorld.requestId(),
        workspace: Slug.make("acme"),
        project: Slug.make("shop"),
        slug: Slug.make("mailer"),
        type: "worker"
      })
      const clone = yield* GitClone.empty
      yield* clone.commit({ "worker.js": "" })
      const pushed = yield* clone.run("push", yield* GitWorld.remoteOf("mailer"), "main")
      assert.strictEqual(pushed.status, 0, pushed.output)
      assert.match(pushed.output, /✓ live \(/)
    })
  )

  it.effect("a service that one token made is pushed to with another, and with the operator's", () =>
    Effect.gen(function* () {
      const entities = yield* EntityClients
      const token = Redacted.make(`sfw_${ApiWorld.workspaceId}_${"z".repeat(43)}`)
      yield* entities.tenant(ApiWorld.workspaceId, (tenant) =>
        tenant.AddToken({
          requestId: ApiWorld.requestId(),
          principal: { _tag: "Operator" },
          token: { id: "second", hash: hash(token), canWrite: true }
        })
      )
      yield* (yield* Authenticator).forget(ApiWorld.workspaceId)
      const clone = yield* GitClone.empty
      for (const by of [ApiWorld.workspaceToken, token, StarbaseProcess.operatorToken]) {
        yield* clone.commit({ app: hash(by) })
        const pushed = yield* clone.run("push", yield* GitWorld.remoteOf("shared", { token: by }), "main")
        assert.strictEqual(pushed.status, 0, pushed.output)
      }
    })
  )

  it.effect("two first pushes at once make one service, and both are handled", () =>
    Effect.gen(function* () {
      const client = yield* ApiWorld.clientOf(ApiWorld.workspaceToken)
      yield* client.CreateEnvironment({
        requestId: RequestId.make("staging"),
        workspace: Slug.make("acme"),
        project: Slug.make("shop"),
        name: EnvironmentName.make("staging"),
        branch: "next",
        isProtected: false,
        isEphemeral: false
      })
      const remote = yield* GitWorld.remoteOf("twins")
      const one = yield* GitClone.empty
      const two = yield* GitClone.empty
      yield* one.commit({ one: "1" })
      yield* two.commit({ two: "2" })
      const [first, second] = yield* Effect.all(
        [one.run("push", remote, "main"), two.run("push", remote, "main:next")],
        { concurrency: 2 }
      )
      assert.strictEqual(first.status, 0, first.output)
      assert.strictEqual(second.status, 0, second.output)
      const projects = yield* client.ListProjects({ workspace: Slug.make("acme") })
      const services = projects.flatMap((project) => project.services.map(({ slug }) => slug))
      assert.deepStrictEqual(
        services.filter((slug) => slug === "twins"),
        [Slug.make("twins")]
      )
    })
  )

  it.effect("several refs are each handled: a branch deploys, another is stored, a tag is refused", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("several")
      const commit = yield* clone.commit({ app: "1" })
      yield* clone.git("tag", "v1")
      const pushed = yield* clone.run("push", remote, "main", "main:idea", "v1")
      assert.strictEqual(pushed.status, 1, pushed.output)
      assert.match(pushed.output, /\* \[new branch\] +main -> main/)
      assert.match(pushed.output, /\* \[new branch\] +main -> idea/)
      assert.match(pushed.output, /! \[remote rejected\] v1 -> v1 \(only branches are taken\)/)
      assert.include(pushed.output, `Stored. No environment deploys from "idea".`)
      assert.include(pushed.output, "main → production")
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote, "idea"), commit)
      assert.lengthOf(yield* GitWorld.deploysOf("several"), 1)
    })
  )

  it.effect("a push of all or nothing is refused by git itself, with nothing sent", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const commit = yield* clone.commit({ app: "atomic" })
      const pushed = yield* clone.run(
        "push",
        "--atomic",
        yield* GitWorld.remoteOf("atomic"),
        "main",
        "main:idea"
      )
      assert.notStrictEqual(pushed.status, 0)
      assert.include(pushed.output, "does not support --atomic")
      assert.notInclude(yield* GitWorld.acceptedCommits, commit)
    })
  )

  it.effect("a branch is not deleted, and Starform's own refs are neither shown nor written", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("kept")
      const commit = yield* clone.commit({ app: "1" })
      yield* clone.git("push", "--quiet", remote, "main")
      const deleted = yield* clone.run("push", remote, ":main")
      assert.strictEqual(deleted.status, 1)
      assert.include(deleted.output, "(branches are not deleted here)")
      assert.strictEqual(yield* clone.git("ls-remote", remote), `${commit}\tHEAD\n${commit}\trefs/heads/main`)
      const hidden = yield* clone.run("push", remote, "main:refs/starform/deploys/x")
      assert.strictEqual(hidden.status, 1)
      assert.include(hidden.output, "deny updating a hidden ref")
    })
  )

  it.effect("a forced push goes live, and its branch moves there", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("forced")
      yield* clone.commit({ app: "1" })
      yield* clone.git("push", "--quiet", remote, "main")
      yield* clone.git("commit", "--quiet", "--amend", "--message=Another past")
      const commit = yield* clone.git("rev-parse", "HEAD")
      assert.strictEqual((yield* clone.run("push", remote, "main")).status, 1)
      const forced = yield* clone.run("push", "--force", remote, "main")
      assert.strictEqual(forced.status, 0, forced.output)
      assert.include(forced.output, "(forced update)")
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), commit)
    })
  )

  it.effect("a repository without a commit pushes nothing, and nothing comes of it", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const pushed = yield* clone.run("push", yield* GitWorld.remoteOf("nothing"), "--all")
      assert.strictEqual(pushed.status, 0, pushed.output)
      const listed = yield* clone.run("ls-remote", yield* GitWorld.remoteOf("nothing"))
      assert.include(listed.output, `There is no service "nothing" here`)
    })
  )

  it.effect("a commit without files is accepted: the build says what it lacks", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const commit = yield* clone.commit({})
      builds.fail(commit, "the commit has no files")
      const pushed = yield* clone.run("push", yield* GitWorld.remoteOf("bare"), "main")
      assert.strictEqual(pushed.status, 1)
      assert.include(pushed.output, "✗ The build failed: the commit has no files")
    })
  )

  it.effect("an annotated tag pushed to a branch's name is refused: a branch points at a commit", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("tagged")
      yield* clone.commit({ app: "1" })
      yield* clone.git("tag", "--annotate", "--message=one", "v1")
      const pushed = yield* clone.run("push", remote, "v1:refs/heads/main")
      assert.strictEqual(pushed.status, 1, pushed.output)
      assert.include(pushed.output, "(not a commit)")
      const peeled = yield* clone.run("push", remote, "v1^{commit}:refs/heads/main")
      assert.strictEqual(peeled.status, 0, peeled.output)
    })
  )

  it.effect("submodules are refused with their paths, and nothing is accepted", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const inner = yield* clone.commit({ app: "1" })
      yield* clone.git("update-index", "--add", "--cacheinfo", `160000,${inner},vendor/parser`)
      yield* clone.git("commit", "--quiet", "--message=Vendor")
      const commit = yield* clone.git("rev-parse", "HEAD")
      const pushed = yield* clone.run("push", yield* GitWorld.remoteOf("modules"), "main")
      assert.strictEqual(pushed.status, 1)
      assert.include(pushed.output, "(submodules are not supported)")
      assert.include(pushed.output, "The commit has submodules: vendor/parser")
      assert.notInclude(yield* GitWorld.acceptedCommits, commit)
    })
  )

  it.effect("a small push whose tree unpacks without end is refused at the limit (INV-GIT-6)", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const file = join(clone.folder, "object")
      const stored = (type: string, bytes: Buffer) =>
        Effect.andThen(
          Effect.sync(() => writeFileSync(file, bytes)),
          clone.git("hash-object", "-t", type, "-w", file)
        )
      const leaves = [
        ["bomb-of-files", "100644", yield* stored("blob", Buffer.from("x"))],
        ["bomb-of-folders", "40000", yield* stored("tree", Buffer.alloc(0))]
      ] as const
      for (const [service, leafMode, leaf] of leaves) {
        let [mode, tree]: readonly [string, string] = [leafMode, leaf]
        for (let depth = 0; depth < 10; depth++) {
          const entries = Array.from({ length: 10 }, (_, n) => [
            Buffer.from(`${mode} n${n}\0`),
            Buffer.from(tree, "hex")
          ])
          tree = yield* stored("tree", Buffer.concat(entries.flat()))
          mode = "40000"
        }
        const commit = yield* clone.git("commit-tree", tree, "-m", "Bomb")
        const pushed = yield* clone.run(
          "push",
          yield* GitWorld.remoteOf(service),
          `${commit}:refs/heads/main`
        )
        assert.strictEqual(pushed.status, 1)
        assert.include(pushed.output, "(too many files)")
        assert.include(pushed.output, "200,000 files and folders")
        assert.notInclude(yield* GitWorld.acceptedCommits, commit)
      }
    })
  )

  it.effect(
    "an unknown push option is refused before anything is accepted, with the ones that there are",
    () =>
      Effect.gen(function* () {
        const clone = yield* GitClone.empty
        const commit = yield* clone.commit({ app: "typo" })
        const pushed = yield* clone.run("push", "-o", "detatch", yield* GitWorld.remoteOf("options"), "main")
        assert.strictEqual(pushed.status, 1)
        assert.include(pushed.output, `(unknown push option "detatch")`)
        assert.include(pushed.output, "-o detach: return when the push is accepted")
        assert.notInclude(yield* GitWorld.acceptedCommits, commit)
      })
  )
})
