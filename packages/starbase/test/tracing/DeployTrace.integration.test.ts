/** How a deploy that fails shows in its trace, and what the outside can and cannot put into one. The whole way of a push is launchpad's test. */
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Option } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import type { DeployId } from "@starform/domain/ids/Ids"
import { spanIdOf, traceIdOf } from "@starform/domain/tracing/DeployTrace"
import * as ApiWorld from "../harness/ApiWorld.ts"
import * as GitClone from "../harness/GitClone.ts"
import * as GitWorld from "../harness/GitWorld.ts"
import * as StarbaseProcess from "../harness/StarbaseProcess.ts"
import * as TraceReceiver from "../harness/TraceReceiver.ts"

class Receiver extends Context.Service<Receiver, TraceReceiver.TraceReceiver>()("test/Receiver") {}

const builds = new GitWorld.Builds()

const starbase = Layer.unwrap(
  Effect.map(Receiver, ({ url }) => StarbaseProcess.layer(builds.script, { otlpUrl: Option.some(url) }))
)

const layer = GitWorld.layerNew.pipe(
  Layer.provideMerge(starbase),
  Layer.provideMerge(Layer.effect(Receiver, TraceReceiver.make)),
  Layer.provideMerge(FetchHttpClient.layer)
)

/** The spans of a deploy once the last one that it needs is there. */
const traceOf = (deployId: DeployId) =>
  Effect.flatMap(Receiver, ({ spans }) =>
    GitClone.until(
      "the whole trace",
      Effect.sync(() => spans.filter(({ traceId }) => traceId === traceIdOf(deployId))),
      (found) =>
        ["deploy", "workflow.DeployRelease"].every((name) => found.some((span) => span.name === name))
    )
  )

const callerTrace = "0af7651916cd43dd8448eb211c80319c"
const callerSpan = "b7ad6b7169203331"

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("DeployTrace", (it) => {
  it.effect("a failed build ends its trace with the code, and without the reason or the output", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const commit = yield* clone.commit({ app: "broken" })
      builds.fail(commit, "npm ci ended with status 1 beside token-of-a-registry")
      const { status } = yield* clone.run("push", yield* GitWorld.remoteOf("broken"), "main")
      assert.strictEqual(status, 1)
      const deploy = (yield* GitWorld.deployOf("broken", commit))!
      const spans = yield* traceOf(deploy.id)
      const root = spans.find(({ parentSpanId }) => parentSpanId === undefined)!
      assert.strictEqual(root.spanId, spanIdOf(deploy.id, "deploy"))
      assert.strictEqual(root.attributes["deploy.phase"], "failed")
      assert.strictEqual(root.attributes["deploy.failure_code"], "InstallFailed")
      const names = spans.map(({ name }) => name)
      assert.include(names, "build")
      assert.notInclude(names, "outbox.PutDesired")
      const { bodies } = yield* Receiver
      assert.isFalse(bodies.some((body) => body.includes("token-of-a-registry") || body.includes("npm")))
    })
  )

  it.effect("the trace that a push was sent in is linked, and its id is not taken over", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      const commit = yield* clone.commit({ app: "linked" })
      const header = `http.extraHeader=traceparent: 00-${callerTrace}-${callerSpan}-01`
      const remote = yield* GitWorld.remoteOf("linked")
      assert.strictEqual((yield* clone.run("-c", header, "push", remote, "main")).status, 0)
      const deploy = (yield* GitWorld.deployOf("linked", commit))!
      const spans = yield* traceOf(deploy.id)
      const receive = spans.find(({ name }) => name === "git.receive")!
      assert.strictEqual(receive.parentSpanId, spanIdOf(deploy.id, "deploy"))
      assert.deepStrictEqual(
        receive.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
        [{ traceId: callerTrace, spanId: callerSpan }]
      )
      const { spans: all } = yield* Receiver
      assert.isFalse(all.some(({ traceId }) => traceId === callerTrace))
    })
  )

  it.effect("requests of agents and programs open no span, whatever trace they name", () =>
    Effect.gen(function* () {
      const { spans } = yield* Receiver
      const client = yield* ApiWorld.clientOf(ApiWorld.workspaceToken)
      yield* client.ListReleases({ app: ApiWorld.app }).pipe(Effect.ignore)
      const request = HttpClientRequest.get(`${yield* ApiWorld.baseUrl}/readyz`).pipe(
        HttpClientRequest.setHeader("traceparent", `00-${callerTrace}-${callerSpan}-01`)
      )
      yield* HttpClient.execute(request)
      const clone = yield* GitClone.empty
      const commit = yield* clone.commit({ app: "afterwards" })
      yield* clone.run("push", yield* GitWorld.remoteOf("afterwards"), "main")
      yield* traceOf((yield* GitWorld.deployOf("afterwards", commit))!.id)
      assert.isFalse(spans.some(({ traceId }) => traceId === callerTrace))
      assert.isFalse(spans.some(({ name }) => name.includes("ListReleases")))
    })
  )
})

/** Nobody listens on the port of "discard". */
const nobody = Option.some("http://127.0.0.1:9")

const untraced = GitWorld.layerNew.pipe(
  Layer.provideMerge(StarbaseProcess.layer(builds.script, { otlpUrl: nobody })),
  Layer.provideMerge(FetchHttpClient.layer)
)

it.layer(untraced, { timeout: Duration.seconds(60), excludeTestServices: true })("DeployTrace", (it) => {
  it.effect("a push goes live while nobody receives traces", () =>
    Effect.gen(function* () {
      const clone = yield* GitClone.empty
      yield* clone.commit({ app: "unheard" })
      const { status, output } = yield* clone.run("push", yield* GitWorld.remoteOf("unheard"), "main")
      assert.strictEqual(status, 0, output)
    })
  )
})
