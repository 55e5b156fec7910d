/** A trace survives the process that began it: nothing carries it but the deploy's id. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option, Scope } from "effect"
import { spanIdOf, traceIdOf } from "@starform/domain/tracing/DeployTrace"
import * as GitClone from "../harness/GitClone.ts"
import * as GitWorld from "../harness/GitWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"
import * as TraceReceiver from "../harness/TraceReceiver.ts"

it.live(
  "INV-TRC-1 a deploy that two processes carried is one trace, with one root",
  () =>
    Effect.gen(function* () {
      const receivers = [yield* TraceReceiver.make, yield* TraceReceiver.make] as const
      const place = yield* StarbaseProcess.place
      const placeOf = (receiver: TraceReceiver.TraceReceiver) => ({
        ...place,
        otlpUrl: Option.some(receiver.url)
      })
      const clone = yield* GitClone.empty
      const before = new GitWorld.Builds()
      const commit = yield* clone.commit({ app: "1" })
      const release = before.hold(commit)
      const firstLife = yield* Scope.make()
      const first = yield* Layer.buildWithScope(
        GitWorld.layerNew.pipe(
          Layer.provideMerge(StarbaseProcess.layerAt(placeOf(receivers[0]), before.script))
        ),
        firstLife
      )
      const remote = yield* Effect.provide(GitWorld.remoteOf("durable"), first)
      const pushing = clone.start("push", remote, "main")
      yield* GitClone.says(pushing, "a step that takes long")
      yield* Scope.close(firstLife, Exit.void)
      yield* pushing.ended
      yield* release

      const second = yield* Layer.build(
        GitWorld.layerAgain.pipe(
          Layer.provideMerge(StarbaseProcess.layerAt(placeOf(receivers[1]), new GitWorld.Builds().script))
        )
      )
      const deploy = (yield* Effect.provide(GitWorld.endOf("durable", commit), second))!
      assert.strictEqual(deploy.phase, "deployed")
      const named = (receiver: TraceReceiver.TraceReceiver) =>
        receiver.spans.filter(({ traceId }) => traceId === traceIdOf(deploy.id)).map(({ name }) => name)
      const late = yield* GitClone.until(
        "the end of the trace",
        Effect.sync(() => named(receivers[1])),
        (names) => names.includes("deploy") && names.includes("workflow.DeployRelease")
      )
      const early = named(receivers[0])
      assert.includeMembers(early, ["git.receive", "outbox.StartDeploy"])
      assert.notInclude(early, "deploy")
      assert.includeMembers(late, ["rollout", "outbox.PutDesired", "deploy.building"])
      const roots = receivers
        .flatMap(({ spans }) => spans)
        .filter(({ traceId, parentSpanId }) => traceId === traceIdOf(deploy.id) && parentSpanId === undefined)
      assert.deepStrictEqual(
        roots.map(({ spanId }) => spanId),
        [spanIdOf(deploy.id, "deploy")]
      )
    }).pipe(Effect.scoped),
  60_000
)
