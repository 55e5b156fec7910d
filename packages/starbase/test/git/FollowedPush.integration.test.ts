/** What a push says while it waits and how it ends: live, failed, superseded, detached. Signs of life come from a short heartbeat. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { ProcessName, Slug } from "@starform/domain/ids/Slug"
import * as ApiWorld from "../harness/ApiWorld.ts"
import * as GitClone from "../harness/GitClone.ts"
import * as GitWorld from "../harness/GitWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

const builds = new GitWorld.Builds()

const layer = GitWorld.layerNew.pipe(
  Layer.provideMerge(StarbaseProcess.layer(builds.script, { gitHeartbeat: Duration.millis(150) })),
  Layer.provideMerge(FetchHttpClient.layer)
)

const count = (text: string, part: string) => text.split(part).length - 1

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("FollowedPush", (it) => {
  it.effect("says the app, the commit, each phase and the URL, in order", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const commit = yield* clone.commit({ app: "1" }, "Begin the shop")
      const { status, output } = yield* clone.run("push", yield* GitWorld.remoteOf("ordered"), "main")
      assert.strictEqual(status, 0, output)
      const said = [
        "acme/shop/ordered → production",
        `${commit.slice(0, 7)} Begin the shop`,
        "▸ Building",
        "✓ Built in",
        "▸ Deploying",
        "✓ Deployed in",
        "✓ live at http://ordered-shop.test"
      ].map((text) => output.indexOf(text))
      assert.notInclude(said, -1, output)
      assert.deepStrictEqual(
        said,
        said.toSorted((a, b) => a - b)
      )
    })
  )

  it.effect(
    "a push to an app whose web process runs no copies ends at no URL, with the line that starts one",
    () =>
      Effect.gen(function* () {
        const clone = yield* GitClone.empty
        const remote = yield* GitWorld.remoteOf("asleep")
        yield* clone.commit({ app: "asleep" })
        assert.include((yield* clone.run("push", remote, "main")).output, "✓ live at http")
        const client = yield* ApiWorld.clientOf(ApiWorld.workspaceToken)
        const app = { ...ApiWorld.app, service: Slug.make("asleep") }
        const requestId = ApiWorld.requestId()
        const deploy = yield* client.SetScale({
          app,
          requestId,
          process: ProcessName.make("web"),
          replicas: 0
        })
        yield* GitClone.until(
          "the scale is live",
          Effect.map(GitWorld.deploysOf("asleep"), (deploys) => deploys.find(({ id }) => id === deploy?.id)),
          (found) => found?.phase === "deployed"
        )
        yield* clone.commit({ app: "still asleep" })
        const { output } = yield* clone.run("push", remote, "main")
        assert.match(output, /✓ live \(/)
        assert.include(output, "web runs no copies; this starts one:")
        assert.include(output, "starform scale web=1 -a acme/shop/asleep")
      })
  )

  it.effect("a build that prints nothing for long shows signs of life all the same", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const release = builds.hold(yield* clone.commit({ app: "slow" }))
      const pushing = clone.start("push", yield* GitWorld.remoteOf("slow"), "main")
      yield* GitClone.until(
        "three signs of life",
        Effect.sync(pushing.output),
        (output) => count(output, "… still building") >= 3
      )
      yield* release
      assert.strictEqual((yield* pushing.ended).status, 0)
    })
  )

  it.effect("INV-GIT-2: a failed push leaves the branch; the same commit pushed again is a new deploy", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("failing")
      const bad = yield* clone.commit({ app: "bad" })
      builds.fail(bad, "npm ci ended with status 1")
      const first = yield* clone.run("push", remote, "main")
      assert.strictEqual(first.status, 1)
      assert.include(first.output, "✗ The build failed: npm ci ended with status 1")
      assert.include(first.output, "! [remote rejected] main -> main (npm ci ended with status 1)")
      assert.include(first.output, "Nothing is live yet.")
      assert.isNull(yield* GitWorld.branchAt(clone, remote))
      const second = yield* clone.run("push", remote, "main")
      assert.strictEqual(second.status, 1)
      const deploys = yield* GitWorld.deploysOf("failing")
      assert.deepStrictEqual(
        deploys.map(({ commit, phase, ordinal }) => ({ commit, phase, ordinal })),
        [1, 2].map((ordinal) => ({ commit: deploys[0]!.commit, phase: "failed", ordinal }))
      )
      const good = yield* clone.commit({ app: "good" })
      assert.strictEqual((yield* clone.run("push", remote, "main")).status, 0)
      const worse = yield* clone.commit({ app: "worse" })
      builds.fail(worse, "npm ci ended with status 1")
      const third = yield* clone.run("push", remote, "main")
      assert.include(third.output, "The release that was live is still serving.")
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), good)
    })
  )

  it.effect("a reason that the build's log ends with is said once, and a warning before that is kept", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const commit = yield* clone.commit({ app: "said twice" })
      builds.fail(commit, "no lockfile was found", ["Node 18 is old", "no lockfile was found"])
      const { output } = yield* clone.run("push", yield* GitWorld.remoteOf("once"), "main")
      const block = output.slice(0, output.indexOf("[remote rejected]"))
      assert.strictEqual(count(block, "no lockfile was found"), 1, output)
      assert.include(block, "✗ The build failed: no lockfile was found")
      assert.include(block, "    Node 18 is old")
    })
  )

  it.effect("a push ends as superseded by the commit of the push that took its place", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("raced")
      yield* clone.commit({ app: "0" })
      yield* clone.git("push", "--quiet", remote, "main")
      const other = yield* GitClone.of(remote)
      const release = builds.hold(yield* clone.commit({ app: "a" }))
      const held = clone.start("push", remote, "main")
      yield* GitClone.says(held, "a step that takes long")
      const winner = yield* other.commit({ app: "b" })
      const second = yield* other.run("push", remote, "main")
      assert.strictEqual(second.status, 0, second.output)
      const first = yield* held.ended
      assert.strictEqual(first.status, 1)
      assert.include(first.output, `! [remote rejected] main -> main (superseded by ${winner})`)
      yield* release
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), winner)
    })
  )

  it.effect("-o detach returns at acceptance with the branch moved, and the deploy goes on", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("detached")
      const commit = yield* clone.commit({ app: "1" })
      const release = builds.hold(commit)
      const { status, output } = yield* clone.run("push", "-o", "detach", remote, "main")
      assert.strictEqual(status, 0, output)
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), commit)
      const deploy = yield* GitWorld.deployOf("detached", commit)
      assert.include(["pending", "building"], deploy?.phase)
      assert.include(output, `Accepted as deploy ${deploy?.id}`)
      yield* release
      assert.strictEqual((yield* GitWorld.endOf("detached", commit))?.phase, "deployed")
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), commit)
    })
  )
})
