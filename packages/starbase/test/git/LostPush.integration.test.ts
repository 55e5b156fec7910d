/** Whoever pushed goes away. Before acceptance nothing is accepted; after it the deploy ends and its branch moves without them. */
import { readFileSync, readdirSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Layer } from "effect"
import { GitConfig } from "@starform/starbase/git/GitConfig"
import * as FaultyStorage from "../harness/FaultyStorage.ts"
import * as GitClone from "../harness/GitClone.ts"
import * as GitWorld from "../harness/GitWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

const builds = new GitWorld.Builds()
const fault = new FaultyStorage.Fault()

const layer = GitWorld.layerNew.pipe(
  Layer.provideMerge(StarbaseProcess.layerWithStorage(builds.script, FaultyStorage.layer(fault)))
)

const interrupt = ({ child }: GitClone.Running) =>
  Effect.sync(() => void process.kill(-(child.pid ?? 0), "SIGINT"))

/** Hooks that talk to this file's Starbase, by their environment. */
const hooks = Effect.map(GitConfig, ({ socketPath }) =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const isHook = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("procReceive.mjs")
        return isHook && readFileSync(`/proc/${pid}/environ`, "utf8").includes(`=${socketPath}\0`)
      } catch {
        return false
      }
    })
    .map(Number)
)

const noHooks = GitClone.until("hooks end", hooks, (pids) => pids.length === 0)

const branchMoves = (clone: GitClone.GitClone, remote: string, commit: string) =>
  GitClone.until("the branch moves", GitWorld.branchAt(clone, remote), (at) => at === commit)

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("LostPush", (it) => {
  it.effect("INV-GIT-2: Ctrl-C after acceptance: the deploy goes live, and the branch moves there", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("left")
      const commit = yield* clone.commit({ app: "1" })
      const release = builds.hold(commit)
      const pushing = clone.start("push", remote, "main")
      yield* GitClone.says(pushing, "a step that takes long")
      yield* interrupt(pushing)
      assert.notStrictEqual((yield* pushing.ended).status, 0)
      yield* noHooks
      assert.isNull(yield* GitWorld.branchAt(clone, remote))
      yield* release
      assert.strictEqual((yield* GitWorld.endOf("left", commit))?.phase, "deployed")
      yield* branchMoves(clone, remote, commit)
    })
  )

  it.effect("INV-GIT-2: Ctrl-C after acceptance of a deploy that fails leaves the branch", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("doomed")
      const good = yield* clone.commit({ app: "good" })
      yield* clone.git("push", "--quiet", remote, "main")
      const commit = yield* clone.commit({ app: "bad" })
      const release = builds.holdThenFail(commit, "it does not build")
      const pushing = clone.start("push", remote, "main")
      yield* GitClone.says(pushing, "a step that takes long")
      yield* interrupt(pushing)
      yield* pushing.ended
      yield* release
      assert.strictEqual((yield* GitWorld.endOf("doomed", commit))?.phase, "failed")
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), good)
    })
  )

  it.effect("INV-GIT-1: Ctrl-C before acceptance: nothing is accepted, and pushing again works", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("early")
      const commit = yield* clone.commit({ app: "early" })
      const reached = yield* Deferred.make<void>()
      const left = yield* Deferred.make<void>()
      fault.beforePut = Effect.andThen(Deferred.succeed(reached, undefined), Effect.never).pipe(
        Effect.onInterrupt(() => Deferred.succeed(left, undefined))
      )
      const pushing = clone.start("push", remote, "main")
      yield* Deferred.await(reached)
      yield* interrupt(pushing)
      yield* pushing.ended
      yield* Deferred.await(left).pipe(Effect.timeout("10 seconds"))
      fault.beforePut = Effect.void
      yield* noHooks
      assert.notInclude(yield* GitWorld.acceptedCommits, commit)
      const again = yield* clone.run("push", remote, "main")
      assert.strictEqual(again.status, 0, again.output)
      assert.deepStrictEqual(
        (yield* GitWorld.acceptedCommits).filter((accepted) => accepted === commit),
        [commit]
      )
    })
  )

  it.effect("a hook that is killed after acceptance takes no deploy with it", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("killed")
      const commit = yield* clone.commit({ app: "killed" })
      const release = builds.hold(commit)
      const pushing = clone.start("push", remote, "main")
      yield* GitClone.says(pushing, "a step that takes long")
      const [hook, ...others] = yield* hooks
      assert.isDefined(hook)
      assert.lengthOf(others, 0)
      process.kill(hook!, "SIGKILL")
      const ended = yield* pushing.ended
      assert.notStrictEqual(ended.status, 0, ended.output)
      yield* release
      assert.strictEqual((yield* GitWorld.endOf("killed", commit))?.phase, "deployed")
      yield* branchMoves(clone, remote, commit)
    })
  )

  it.effect("a push that was left never takes the branch back from a later one", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const remote = yield* GitWorld.remoteOf("ordered")
      const first = yield* clone.commit({ app: "first" })
      const release = builds.hold(first)
      const pushing = clone.start("push", remote, "main")
      yield* GitClone.says(pushing, "a step that takes long")
      yield* interrupt(pushing)
      yield* pushing.ended
      yield* release
      yield* GitWorld.endOf("ordered", first)
      const second = yield* clone.commit({ app: "second" })
      assert.strictEqual((yield* clone.run("push", remote, "main")).status, 0)
      yield* GitClone.until("no branch is due", GitWorld.deploysOf("ordered"), (deploys) =>
        deploys.every(({ branchSettled }) => branchSettled)
      )
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), second)
    })
  )
})
