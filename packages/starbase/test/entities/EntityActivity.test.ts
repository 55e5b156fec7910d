import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { Entity, ShardingConfig } from "effect/cluster"
import { Slug } from "@starform/domain/ids/Slug"
import * as AppBehavior from "@starform/starbase/entities/app/AppBehavior"
import { AppEntity } from "@starform/starbase/entities/app/AppEntity"
import * as ResidentClusters from "@starform/starbase/entities/ResidentClusters"
import * as ClusterBehavior from "@starform/starbase/entities/cluster/ClusterBehavior"
import { ClusterEntity } from "@starform/starbase/entities/cluster/ClusterEntity"
import * as EntityActivity from "@starform/starbase/entities/EntityActivity"
import * as EntityModels from "@starform/starbase/entities/EntityModels"
import { Journal } from "@starform/starbase/journal/Journal"
import * as GatedJournal from "./GatedJournal.ts"
import * as Specimens from "./Specimens.ts"

const services = Layer.mergeAll(GatedJournal.layer, ShardingConfig.layer(), EntityActivity.layer)
const identity = Specimens.identity(1)
const { appId } = identity
const { request } = Specimens

const world = <A, E, R>(test: Effect.Effect<A, E, R>) => test.pipe(Effect.scoped, Effect.provide(services))

const appClient = Effect.gen(function* () {
  const runner = yield* Entity.makeTestClient(AppEntity, AppBehavior.layerNoDeps)
  const app = yield* runner(appId)
  yield* app.CreateApp({ ...request("create"), identity })
  return app
})

/** Holds back the first append under way until it is opened. */
const heldAppend = Effect.gen(function* () {
  const journal = yield* GatedJournal.JournalGate
  const reached = yield* Deferred.make<void>()
  const released = yield* Deferred.make<void>()
  const gate: GatedJournal.Gate = (step) =>
    step === "before append"
      ? Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(released))
      : Effect.void
  return { during: journal.during(gate), reached, released }
})

const scale = (n: number) => ({
  ...request(`health-${n}`),
  deployId: Specimens.deployId(n),
  health: { path: `/up/${n}`, startupSeconds: 5 }
})

describe("EntityActivity", () => {
  it.effect("tells what is in flight and what waits, while nothing moves", () =>
    world(
      Effect.gen(function* () {
        const app = yield* appClient
        const { during, reached, released } = yield* heldAppend
        yield* during(
          Effect.gen(function* () {
            const asks = yield* Effect.forEach([1, 2, 3], (n) =>
              Effect.forkChild(app.SetHealthCheck(scale(n)), { startImmediately: true })
            )
            yield* Deferred.await(reached)
            const { incarnation } = yield* app.InspectActivity()
            assert.strictEqual(incarnation.sequence, 1)
            assert.strictEqual(incarnation.waiting, 2)
            assert.deepStrictEqual(
              incarnation.inFlight.map(({ tag, requestId, principal }) => ({ tag, requestId, principal })),
              [{ tag: "SetHealthCheck", requestId: "health-1", principal: "operator" }]
            )
            yield* Deferred.succeed(released, undefined)
            yield* Fiber.joinAll(asks)
          })
        )
        const { incarnation } = yield* app.InspectActivity()
        assert.deepInclude(incarnation, { sequence: 4, waiting: 0, inFlightCount: 0, errors: [] })
      })
    )
  )

  it.effect("INV-OPR-6 leaves the order of requests as it is", () =>
    world(
      Effect.gen(function* () {
        const app = yield* appClient
        const { during, reached, released } = yield* heldAppend
        const many = Array.from({ length: 30 }, (_, n) => n + 1)
        yield* during(
          Effect.gen(function* () {
            const asks = yield* Effect.forEach(many, (n) =>
              Effect.forkChild(app.SetHealthCheck(scale(n)), { startImmediately: true })
            )
            yield* Deferred.await(reached)
            yield* Deferred.succeed(released, undefined)
            yield* Fiber.joinAll(asks)
          })
        )
        const journal = yield* Journal
        const events = yield* journal.read({ type: "App", id: appId }, 1, 100)
        assert.deepStrictEqual(
          events.map(({ requestId }) => requestId),
          many.map((n) => `health-${n}`)
        )
      })
    )
  )

  it.effect("INV-OPR-6 counts nobody who left before their turn", () =>
    world(
      Effect.gen(function* () {
        const runner = yield* Entity.makeTestClient(
          ClusterEntity,
          ClusterBehavior.layerNoDeps.pipe(Layer.provide(ResidentClusters.layer))
        )
        const clusterId = Specimens.clusterId(1)
        const cluster = yield* runner(clusterId)
        const agentTokenHash = "a".repeat(64)
        const registration = { clusterId, name: Slug.make("local"), region: "here", agentTokenHash }
        yield* cluster.RegisterCluster({ ...request("register"), registration, epoch: "0a0b0c0d" })
        const report = { revision: null, apps: [], complete: false, agentVersion: "test" }
        const { during, reached, released } = yield* heldAppend
        yield* during(
          Effect.gen(function* () {
            const put = (n: number) =>
              cluster.PutDesired({ ...request(`put-${n}`), entry: Specimens.desiredEntry(n, 1) })
            const first = yield* Effect.forkChild(put(1), { startImmediately: true })
            yield* Deferred.await(reached)
            const leaving = yield* Effect.forkChild(cluster.Report({ agentTokenHash, report }), {
              startImmediately: true
            })
            assert.strictEqual((yield* cluster.InspectActivity()).incarnation.waiting, 1)
            yield* Fiber.interrupt(leaving)
            yield* Deferred.succeed(released, undefined)
            yield* Fiber.join(first)
            yield* put(2)
          })
        )
        assert.deepInclude((yield* cluster.InspectActivity()).incarnation, { waiting: 0, inFlightCount: 0 })
      })
    )
  )

  it.effect("remembers the newest errors with their request and their line", () =>
    world(
      Effect.gen(function* () {
        const app = yield* appClient
        const missing = Specimens.deployId(9)
        for (let n = 0; n < EntityActivity.errorsKept + 5; n++) {
          yield* Effect.flip(app.CancelDeploy({ ...request(`cancel-${n}`), deployId: missing }))
        }
        const { errors } = (yield* app.InspectActivity()).incarnation
        assert.strictEqual(errors.length, EntityActivity.errorsKept)
        assert.deepInclude(errors[0], { tag: "CancelDeploy", error: "NotFound" })
        assert.include(errors[0]?.line, missing)
      })
    )
  )

  it.effect("is found in the register of its process as long as it lives", () =>
    Effect.gen(function* () {
      const { find } = yield* EntityActivity.EntityActivity
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* appClient
          const found = yield* find("App", appId)
          assert.strictEqual(found._tag, "Some")
        })
      )
    }).pipe(Effect.provide(services))
  )

  it.effect("drops what is in memory and reads it again, in its turn", () =>
    world(
      Effect.gen(function* () {
        const app = yield* appClient
        const journal = yield* Journal
        yield* journal.append(
          { type: "App", id: appId },
          {
            after: 1,
            events: [{ _tag: "RestartRequested", nonce: "elsewhere" }],
            actor: "operator",
            requestId: "elsewhere",
            atMs: 0,
            reply: null,
            effects: [],
            reserve: [],
            release: [],
            rows: []
          }
        )
        assert.strictEqual((yield* app.GetApp()).restartNonce, "")
        assert.strictEqual(yield* app.Passivate(), 2)
        assert.strictEqual((yield* app.GetApp()).restartNonce, "elsewhere")
      })
    )
  )
})

describe("EntityModels.inspect", () => {
  it.effect("shows the state before the first event that is later than the time", () =>
    world(
      Effect.gen(function* () {
        const journal = yield* Journal
        const key = { type: "Tenant", id: "0198c0de-0000-7000-8006-000000000001" }
        const workspace = { id: key.id, slug: "acme", displayName: "Acme" }
        const token = (id: string) => ({
          _tag: "TokenAdded",
          token: { id, hash: "0".repeat(64), canWrite: true }
        })
        const append = (after: number, event: unknown, atMs: number) =>
          journal.append(key, {
            after,
            events: [event],
            actor: "operator",
            requestId: `r${after}`,
            atMs,
            reply: null,
            effects: [],
            reserve: [],
            release: [],
            rows: []
          })
        yield* append(0, { _tag: "WorkspaceCreated", workspace }, 1_000)
        yield* append(1, token("one"), 2_000)
        // A clock that was behind: what it wrote follows what was there.
        yield* append(2, token("two"), 1_500)
        yield* append(3, token("three"), 3_000)
        const at = (atMs: number) =>
          Effect.map(EntityModels.inspect("Tenant", key.id, { atMs }), ({ sequence }) => sequence)
        assert.strictEqual(yield* at(1_000), 1)
        assert.strictEqual(yield* at(1_999), 1)
        assert.strictEqual(yield* at(2_000), 3)
        assert.strictEqual(yield* at(9_000), 4)
        assert.strictEqual((yield* Effect.flip(at(999)))._tag, "NotFound")
      })
    )
  )
})
