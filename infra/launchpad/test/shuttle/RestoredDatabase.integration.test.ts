/** A real Starbase whose database is restored under a real agent that saw more than the backup has. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { RequestId } from "@starform/domain/ids/Ids"
import * as Revision from "@starform/domain/ids/Revision"
import { Slug } from "@starform/domain/ids/Slug"
import * as StarformClient from "@starform/domain/protocol/StarformClient"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { hash } from "@starform/starbase/security/Token"
import type { StarbaseSettings } from "@starform/starbase/StarbaseConfig"
import { Effect, FileSystem, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { randomUUID } from "node:crypto"
import { inject } from "vitest"
import { script } from "../../../../packages/starbase/test/harness/ApiWorld.ts"
import * as StarbaseProcess from "../../../../packages/starbase/test/harness/StarbaseProcess.ts"
import {
  agent,
  cluster,
  clusterId,
  contents,
  newApp,
  nextDeploy,
  temporaryFolder,
  until
} from "./AgentHarness.ts"

const agentToken = Redacted.make(`sfc_${clusterId}_${"a".repeat(43)}`)
const operator = { _tag: "Operator" } as const
const requestId = () => RequestId.make(randomUUID())

/** Objects of one app that is alone in its project, and of two. */
const [alone, both] = [13, 18]

const onServer = (statement: string) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    yield* sql.unsafe(statement)
  }).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(inject("postgresUrl")), maxConnections: 1 }), {
      local: true
    }),
    Effect.orDie
  )

/** A copy of a database that nobody is connected to. */
const backupOf = Effect.fnUntraced(function* (databaseUrl: Redacted.Redacted<string>) {
  const url = new URL(Redacted.value(databaseUrl))
  const live = url.pathname.slice(1)
  yield* Effect.acquireRelease(onServer(`CREATE DATABASE ${live}_backup TEMPLATE ${live}`), () =>
    onServer(`DROP DATABASE IF EXISTS ${live}_backup WITH (FORCE)`)
  )
  url.pathname = `/${live}_backup`
  return Redacted.make(url.href)
})

/** Runs a Starbase on the place for as long as `use` takes. */
const during = <A, E, R>(settings: StarbaseSettings, use: Effect.Effect<A, E, R>) =>
  use.pipe(Effect.provide(StarbaseProcess.layerAt(settings, script), { local: true }), Effect.scoped)

const put = Effect.fnUntraced(function* (app: DesiredApp) {
  const entities = yield* EntityClients
  const entry = { ...app, variables: [] }
  yield* entities.cluster(clusterId, (entity) =>
    entity.PutDesired({ requestId: requestId(), principal: operator, entry })
  )
})

const remove = Effect.fnUntraced(function* ({ appId, ordinal }: DesiredApp) {
  const entities = yield* EntityClients
  yield* entities.cluster(clusterId, (entity) =>
    entity.RemoveDesired({ requestId: requestId(), principal: operator, appId, ordinal: ordinal + 1 })
  )
})

it.live("INV-CLU-8 a restored database removes nothing before an operator confirms its new epoch", () =>
  Effect.gen(function* () {
    const settings = yield* StarbaseProcess.place
    const fs = yield* FileSystem.FileSystem
    const folder = yield* temporaryFolder
    const world = yield* cluster
    const client = yield* StarformClient.make({
      url: settings.publicUrl,
      token: StarbaseProcess.operatorToken
    })
    const look = Effect.orDie(client.GetCluster({ clusterId }))
    const objectsOf = (app: DesiredApp) => contents(world.person, app.namespace)
    const startAgent = agent(settings.publicUrl, world.proxy.url, folder, {}, Redacted.value(agentToken))
    const [kept, removed] = [newApp(), newApp()]

    yield* during(
      settings,
      Effect.gen(function* () {
        const registration = { clusterId, name: Slug.make("local"), region: "here" }
        const agentTokenHash = hash(agentToken)
        yield* client.RegisterCluster({ requestId: requestId(), ...registration, agentTokenHash })
        yield* put(kept)
        yield* put(removed)
        yield* remove(removed)
      })
    )
    const backup = yield* backupOf(settings.databaseUrl)

    const again = nextDeploy(nextDeploy(removed))
    const lost = yield* during(
      settings,
      Effect.gen(function* () {
        yield* put(again)
        yield* startAgent
        yield* until(objectsOf(kept), ({ size }) => size === alone)
        yield* until(objectsOf(again), ({ size }) => size === alone)
        yield* until(fs.exists(`${folder}/desired-state.sealed`).pipe(Effect.orDie), (isStored) => isStored)
        return yield* until(look, ({ agentRevision, revision }) => agentRevision === revision)
      })
    )

    yield* during(
      { ...settings, databaseUrl: backup },
      Effect.gen(function* () {
        yield* startAgent
        const restored = yield* until(look, ({ agentRevision, revision }) => agentRevision === revision)
        const [was, is] = [Revision.parse(lost.revision), Revision.parse(restored.revision)]
        assert.isBelow(is.n, was.n)
        assert.notStrictEqual(is.epoch, was.epoch)
        assert.isFalse(restored.epochConfirmed)
        assert.strictEqual(restored.tombstones, 1)

        // A pass over the project that did its work under the restored document, and left alone what it takes away.
        const sibling = newApp(again)
        yield* put(sibling)
        const objects = yield* until(objectsOf(again), ({ size }) => size >= both)
        assert.strictEqual(objects.size, both)

        yield* client.ConfirmEpoch({ requestId: requestId(), clusterId, epoch: is.epoch })
        yield* until(objectsOf(again), ({ size }) => size === alone)
        const settled = yield* until(look, ({ tombstones }) => tombstones === 0)
        assert.isTrue(settled.epochConfirmed)
        assert.strictEqual((yield* objectsOf(kept)).size, alone)
      })
    )
  }).pipe(Effect.scoped, Effect.provide(Layer.merge(NodeServices.layer, FetchHttpClient.layer)))
)
