/** One push is one trace: real git, a real Starbase, the real agent on a cluster whose controllers run, spans received over OTLP. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import { Digest, ImageReference } from "@starform/domain/ids/Digest"
import { ProcessName, Slug, VariableName } from "@starform/domain/ids/Slug"
import { traceIdOf } from "@starform/domain/tracing/DeployTrace"
import * as KubernetesServer from "@starform/launchpad/KubernetesServer"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import { Context, Duration, Effect, Layer, Option, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as ApiWorld from "../../../../packages/starbase/test/harness/ApiWorld.ts"
import * as GitClone from "../../../../packages/starbase/test/harness/GitClone.ts"
import * as GitWorld from "../../../../packages/starbase/test/harness/GitWorld.ts"
import type { Script } from "../../../../packages/starbase/test/harness/ScriptedBuilder.ts"
import * as StarbaseProcess from "../../../../packages/starbase/test/harness/StarbaseProcess.ts"
import * as TraceReceiver from "../../../../packages/starbase/test/harness/TraceReceiver.ts"
import { agent, clusterWithPods, temporaryFolder } from "./AgentHarness.ts"
import { lacksControllers } from "../apiserver/RealServer.ts"

class Receiver extends Context.Service<Receiver, TraceReceiver.TraceReceiver>()("test/Receiver") {}

/** A process that nobody wants a copy of: its rollout needs controllers, and no pods. */
const script: Script = (spec) => {
  const digest = Digest.make(`sha256:${spec.gitSha.padEnd(64, "0")}`)
  return Effect.succeed({
    digest,
    image: ImageReference.make(`local/app@${digest}`),
    processes: [{ name: ProcessName.make("worker"), command: ["node", "worker.js"] }],
    healthPath: null,
    durations: { queuedMs: 0, sourceMs: 0, installMs: 0, buildMs: 0, packageMs: 0, totalMs: 0 }
  })
}

const starbase = Layer.unwrap(
  Effect.map(Receiver, ({ url }) => StarbaseProcess.layer(script, { otlpUrl: Option.some(url) }))
)

const layer = Layer.effectDiscard(ApiWorld.setUp).pipe(
  Layer.provideMerge(starbase),
  Layer.provideMerge(Layer.effect(Receiver, TraceReceiver.make)),
  Layer.provideMerge(Layer.mergeAll(FetchHttpClient.layer, NodeServices.layer))
)

const secretValue = "hunter2-in-a-variable"

/** Hops of a push, each with its parent, in the order in which they began. */
const hops = [
  ["git.receive", "deploy"],
  ["App.AcceptPush", "App.client.AcceptPush"],
  ["outbox.StartDeploy", "deploy"],
  ["Workflow/DeployRelease.run", "Workflow/DeployRelease.client.run"],
  ["build", "workflow.DeployRelease"],
  ["rollout", "workflow.DeployRelease"],
  ["App.RecordRelease", "App.client.RecordRelease"],
  ["App.StartRollout", "App.client.StartRollout"],
  ["outbox.PutDesired", "deploy"],
  ["Cluster.PutDesired", "Cluster.client.PutDesired"],
  ["shuttle.apply", "deploy"],
  ["shuttle.report", "deploy"],
  ["outbox.TellObserved", "deploy"],
  ["App.Observe", "App.client.Observe"],
  ["outbox.SettleDeploy", "deploy"]
] as const

/** Hops that span others, from times that were kept. */
const spells = [
  "shuttle.pull",
  "workflow.DeployRelease",
  "deploy.building",
  "deploy.built",
  "deploy.deploying"
]

it.layer(layer, { timeout: Duration.seconds(60), excludeTestServices: true })("DeployTrace", (it) => {
  it.effect.skipIf(lacksControllers)(
    "a push is one trace through git, entity, workflow, build, pull, apply and report",
    () =>
      Effect.gen(function* () {
        const received = yield* Receiver
        const { publicUrl, databaseUrl, masterKey } = yield* StarbaseConfig
        const world = yield* clusterWithPods
        yield* agent(
          publicUrl,
          world.url,
          yield* temporaryFolder,
          { clusterId: ApiWorld.clusterId, otlpUrl: Option.some(received.url) },
          Redacted.value(ApiWorld.agentToken)
        )
        const client = yield* ApiWorld.clientOf(ApiWorld.workspaceToken)
        yield* client.SetVariables({
          app: { ...ApiWorld.app, service: Slug.make("api") },
          requestId: ApiWorld.requestId(),
          set: [{ key: VariableName.make("PASSWORD"), value: secretValue, secret: true }],
          unset: []
        })

        const clone = yield* GitClone.empty
        const commit = yield* clone.commit({ app: "1" }, "Begin the shop")
        const { status, output } = yield* clone.run("push", yield* GitWorld.remoteOf("api"), "main")
        assert.strictEqual(status, 0, output)
        const deploy = (yield* GitWorld.deployOf("api", commit))!
        assert.strictEqual(deploy.phase, "deployed")
        const traceId = traceIdOf(deploy.id)
        const spans = yield* GitClone.until(
          "the whole trace",
          Effect.sync(() => received.spans.filter((span) => span.traceId === traceId)),
          (found) =>
            ["workflow.DeployRelease", "outbox.SettleDeploy", "shuttle.report", "shuttle.apply"].every(
              (name) => found.some((span) => span.name === name)
            )
        )

        const nameOf = new Map(spans.map(({ spanId, name }) => [spanId, name]))
        const parentOf = (span: TraceReceiver.ReceivedSpan) => nameOf.get(span.parentSpanId ?? "") ?? null
        const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined)
        assert.deepStrictEqual(
          roots.map(({ name }) => name),
          ["deploy"]
        )
        const root = roots[0]!
        assert.strictEqual(root.attributes["deploy.phase"], "deployed")
        assert.strictEqual(root.attributes["deploy.id"], deploy.id)

        const first = hops.map(([name, parent]) => {
          const found = spans
            .filter((span) => span.name === name && parentOf(span) === parent)
            .toSorted((a, b) => (BigInt(a.startTimeUnixNano) < BigInt(b.startTimeUnixNano) ? -1 : 1))[0]
          assert.isDefined(found, `${name} under ${parent}`)
          return found!
        })
        const begun = first.map(({ name, startTimeUnixNano }) => ({ name, at: BigInt(startTimeUnixNano) }))
        assert.deepStrictEqual(
          begun.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).map(({ name }) => name),
          begun.map(({ name }) => name)
        )
        for (const name of spells) {
          const spell = spans.find((span) => span.name === name)
          assert.isDefined(spell, name)
          assert.strictEqual(parentOf(spell!), "deploy")
          assert.isTrue(BigInt(spell!.startTimeUnixNano) >= BigInt(root.startTimeUnixNano), name)
        }
        const applied = spans.find(({ name }) => name === "shuttle.apply")
        assert.strictEqual(applied?.service, "shuttle")
        assert.strictEqual(applied?.attributes["apply.outcome"], "Applied")

        const secrets = [
          secretValue,
          Redacted.value(masterKey),
          Redacted.value(databaseUrl),
          Redacted.value(KubernetesServer.testToken),
          ...[ApiWorld.agentToken, ApiWorld.workspaceToken, StarbaseProcess.operatorToken].map(Redacted.value)
        ]
        const strangers = ["Begin the shop", "authorization", "stacktrace", "SELECT", "INSERT"]
        for (const text of [...secrets, ...strangers]) {
          assert.isFalse(
            received.bodies.some((body) => body.includes(text)),
            `an exported body has: ${text}`
          )
        }
        const traces = new Set(received.spans.map((span) => span.traceId))
        const deploys = (yield* GitWorld.deploysOf("api")).map(({ id }) => traceIdOf(id))
        assert.deepStrictEqual([...traces].toSorted(), deploys.toSorted())
      })
  )
})
