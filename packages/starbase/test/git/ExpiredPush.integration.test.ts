/** A one-push token that its hook brings too late (INV-GIT-4): here its life is over before git can start the hook. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import * as GitClone from "../harness/GitClone.ts"
import * as GitWorld from "../harness/GitWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"

const builds = new GitWorld.Builds()

const layer = GitWorld.layerNew.pipe(
  Layer.provideMerge(StarbaseProcess.layer(builds.script, { gitTokenLife: Duration.zero }))
)

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("ExpiredPush", (it) => {
  it.effect("INV-GIT-4: a one-push token is refused after its life, and nothing is accepted", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      yield* clone.commit({ app: "late" })
      const pushed = yield* clone.run("push", yield* GitWorld.remoteOf("late"), "main")
      assert.strictEqual(pushed.status, 1, pushed.output)
      assert.include(pushed.output, "(this push has expired; push again)")
      assert.deepStrictEqual(yield* GitWorld.acceptedCommits, [])
    })
  )
})
