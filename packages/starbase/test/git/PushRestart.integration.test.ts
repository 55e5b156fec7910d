/** Starbase ends while a push waits, and another one starts on the same database and the same folders. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import * as GitClone from "../harness/GitClone.ts"
import * as GitWorld from "../harness/GitWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

it.live(
  "an accepted push survives the end of Starbase; the person is told that it goes on",
  () =>
    Effect.gen(function* () {
      const place = yield* StarbaseProcess.place
      const clone = yield* GitClone.empty
      const before = new GitWorld.Builds()
      const commit = yield* clone.commit({ app: "1" })
      const release = before.hold(commit)
      const firstLife = yield* Scope.make()
      const first = yield* Layer.buildWithScope(
        GitWorld.layerNew.pipe(Layer.provideMerge(StarbaseProcess.layerAt(place, before.script))),
        firstLife
      )
      const remote = yield* Effect.provide(GitWorld.remoteOf("durable"), first)
      const pushing = clone.start("push", remote, "main")
      yield* GitClone.says(pushing, "a step that takes long")
      yield* Scope.close(firstLife, Exit.void)
      const ended = yield* pushing.ended
      assert.strictEqual(ended.status, 1, ended.output)
      assert.include(ended.output, "(Starform went away; an accepted push goes on without you)")
      yield* release

      const after = new GitWorld.Builds()
      const second = yield* Layer.build(
        GitWorld.layerAgain.pipe(Layer.provideMerge(StarbaseProcess.layerAt(place, after.script)))
      )
      const deploy = yield* Effect.provide(GitWorld.endOf("durable", commit), second)
      assert.strictEqual(deploy?.phase, "deployed")
      assert.deepStrictEqual(after.begun, [commit])
      yield* GitClone.until("the branch moves", GitWorld.branchAt(clone, remote), (at) => at === commit)
      const next = yield* clone.commit({ app: "2" })
      const again = yield* clone.run("push", remote, "main")
      assert.strictEqual(again.status, 0, again.output)
      assert.strictEqual(yield* GitWorld.branchAt(clone, remote), next)
    }).pipe(Effect.scoped),
  60_000
)
