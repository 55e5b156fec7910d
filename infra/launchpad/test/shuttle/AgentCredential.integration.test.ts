/** A real agent joins a real Starbase, rotates while it works, loses its disk, is revoked, and joins again. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { RequestId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import * as StarformClient from "@starform/domain/protocol/StarformClient"
import { starformVersion } from "@starform/domain/protocol/VersionSkew"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { hash, newJoinToken } from "@starform/starbase/security/Token"
import { StarbaseConfig } from "@starform/starbase/StarbaseConfig"
import { Duration, Effect, FileSystem, Layer, Option, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { randomUUID } from "node:crypto"
import { script } from "../../../../packages/starbase/test/harness/ApiWorld.ts"
import * as StarbaseProcess from "../../../../packages/starbase/test/harness/StarbaseProcess.ts"
import {
  agent,
  cluster,
  clusterId,
  contents,
  countingProxy,
  newApp,
  nextDeploy,
  temporaryFolder,
  until
} from "./AgentHarness.ts"

const requestId = () => RequestId.make(randomUUID())

const put = Effect.fnUntraced(function* (app: DesiredApp) {
  const entities = yield* EntityClients
  const entry = { ...app, variables: [] }
  yield* entities.cluster(clusterId, (entity) =>
    entity.PutDesired({ requestId: requestId(), principal: { _tag: "Operator" }, entry })
  )
})

const layer = StarbaseProcess.layer(script).pipe(
  Layer.provideMerge(Layer.mergeAll(FetchHttpClient.layer, NodeServices.layer))
)

it.live(
  "INV-CLU-10 an agent joins, rotates under load without a refusal, survives its disk, is revoked and joins again",
  () =>
    Effect.gen(function* () {
      const { publicUrl } = yield* StarbaseConfig
      const fs = yield* FileSystem.FileSystem
      const world = yield* cluster
      const wire = yield* countingProxy(publicUrl, null)
      const client = yield* StarformClient.make({ url: publicUrl, token: StarbaseProcess.operatorToken })
      const look = Effect.orDie(client.GetCluster({ clusterId }))
      const settled = until(look, ({ agentRevision, revision }) => agentRevision === revision)
      const lines = (rest: string) => wire.answers.filter(({ line }) => line.endsWith(rest))
      const about = () => ({ requestId: requestId(), clusterId })
      const kept = {
        pullWait: Duration.seconds(10),
        credentialSecret: Option.some({ namespace: "starform-system", name: "shuttle-credential" })
      }
      const issue = Effect.gen(function* () {
        const token = newJoinToken(clusterId)
        yield* client.IssueJoinToken({ ...about(), joinTokenHash: hash(token) })
        return Redacted.value(token)
      })
      const deployments = (app: DesiredApp) =>
        Effect.map(contents(world.person, app.namespace), (objects) =>
          [...objects]
            .filter(([path]) => path.includes("/deployments/"))
            .map(([, { metadata }]) => metadata.annotations?.["starform.io/deployment-id"])
        )
      const applied = (app: DesiredApp) => until(deployments(app), (ids) => ids.includes(app.deployId))

      const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "starform-system" } }
      yield* world.person.call("POST", "/api/v1/namespaces", namespace)
      yield* client.RegisterCluster({ ...about(), name: Slug.make("customer"), region: "nyc3" })
      const folder = yield* temporaryFolder
      const first = yield* agent(wire.url, world.proxy.url, folder, kept, yield* issue)
      let app = newApp()
      yield* put(app)
      yield* applied(app)
      const joined = yield* settled
      assert.deepInclude(joined.credential, { state: "valid", joinTokenUntilMs: null })
      assert.deepInclude(joined.agent, { version: starformVersion, standing: "current" })
      assert.isFalse(yield* fs.exists(`${folder}/agent-credential`))

      let sinceMs = joined.credential?.sinceMs ?? 0
      for (let rotation = 0; rotation < 5; rotation++) {
        yield* client.RotateAgentCredential(about())
        for (let change = 0; change < 4; change++) {
          app = nextDeploy(app)
          yield* put(app)
        }
        const { credential } = yield* until(
          look,
          (now) => now.credential?.state === "valid" && (now.credential.sinceMs ?? 0) > sinceMs
        )
        assert.isFalse(credential?.rotationAsked)
        sinceMs = credential?.sinceMs ?? 0
        yield* applied(app)
      }
      assert.deepStrictEqual(
        wire.answers.filter(({ status }) => status >= 400),
        []
      )
      assert.lengthOf(lines("/credential"), 10, "offered, and used at once")

      yield* first.stop
      const spare = yield* temporaryFolder
      yield* agent(wire.url, world.proxy.url, spare, kept, "sfj_of_long_ago")
      app = nextDeploy(app)
      yield* put(app)
      yield* applied(app)
      yield* settled
      assert.lengthOf(lines("/join"), 1, "a new pod finds the credential in the cluster")
      assert.deepStrictEqual(
        wire.answers.filter(({ status }) => status >= 400),
        []
      )

      const objects = (yield* contents(world.person, app.namespace)).size
      const before = wire.answers.length
      const revoked = yield* client.RevokeAgentCredential(about())
      assert.strictEqual(revoked.credential?.state, "none")
      yield* until(
        Effect.sync(() => wire.answers.slice(before)),
        (answers) => answers.some(({ line, status }) => line.endsWith("/desired-state") && status === 401)
      )
      app = nextDeploy(app)
      yield* put(app)
      yield* until(
        Effect.sync(() => lines("/desired-state").filter(({ status }) => status === 401).length),
        (refusals) => refusals > 2
      )
      assert.strictEqual((yield* contents(world.person, app.namespace)).size, objects)

      yield* fs.writeFileString(`${spare}/token`, yield* issue)
      yield* applied(app)
      assert.strictEqual((yield* settled).credential?.state, "valid")
    }).pipe(Effect.scoped, Effect.provide(layer))
)
