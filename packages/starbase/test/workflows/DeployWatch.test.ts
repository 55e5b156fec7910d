import { assert, it } from "@effect/vitest"
import { randomUUID } from "node:crypto"
import { Clock, Duration, Effect, Layer } from "effect"
import { ShardingConfig, TestRunner } from "effect/cluster"
import { DeployId } from "@starform/domain/ids/Ids"
import * as Entities from "@starform/starbase/Entities"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import { Journal } from "@starform/starbase/journal/Journal"
import * as JournalMemory from "@starform/starbase/journal/JournalMemory"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import { DeployRuns } from "@starform/starbase/workflows/DeployRuns"
import { grace, sweep, wakeAfter } from "@starform/starbase/workflows/DeployWatch"
import * as Specimens from "../entities/Specimens.ts"
import { append } from "../journal/Appends.ts"

const deadline = Duration.minutes(1)

const config = StarbaseConfig.layerTest({ buildDeadline: deadline, rolloutDeadline: deadline })

/** Deploys that the watch has woken; whoever works at them is somebody else's test. */
const woken: Array<DeployId> = []

const runs = Layer.succeed(DeployRuns, {
  start: () => Effect.void,
  settle: () => Effect.void,
  cancelBuild: () => Effect.void,
  status: () => Effect.succeed("waiting"),
  build: () => Effect.die("nobody looks at a build here"),
  resume: (deployId) => Effect.sync(() => void woken.push(deployId))
})

const layer = Entities.layerNoDeps.pipe(
  Layer.provideMerge(TestRunner.layer),
  Layer.provideMerge(JournalMemory.layer),
  Layer.provideMerge(Layer.merge(config, runs)),
  Layer.provideMerge(ShardingConfig.layer())
)

/** A push that nobody works at. */
const accepted = Effect.gen(function* () {
  const entities = yield* EntityClients
  const identity = Specimens.uniqueIdentity()
  const deployId = DeployId.make(randomUUID())
  yield* entities.app(identity.appId, (app) => app.CreateApp({ ...Specimens.request("create"), identity }))
  yield* entities.app(identity.appId, (app) => app.AcceptPush(Specimens.push(deployId)))
  const deploy = entities.app(identity.appId, (app) =>
    app.AwaitDeploy({ deployId, phasesSeen: 0, waitMs: 0 })
  )
  return { deploy, deployId }
})

/** A round at another time than now; what it asks of others happens now. */
const sweepAfter = (delay: Duration.Duration) =>
  Effect.flatMap(Clock.Clock, (clock) => {
    const later = Object.create(clock) as { -readonly [Key in keyof Clock.Clock]: Clock.Clock[Key] }
    later.currentTimeMillis = Effect.map(clock.currentTimeMillis, (nowMs) => nowMs + Duration.toMillis(delay))
    return Effect.provideService(sweep, Clock.Clock, later)
  })

it.layer(layer, { excludeTestServices: true })("DeployWatch", (it) => {
  it.effect("ends a deploy that outlived the sum of its deadlines, and none before", () =>
    Effect.gen(function* () {
      const lost = yield* accepted
      const limit = Duration.sum(Duration.sum(deadline, deadline), grace)
      assert.strictEqual(yield* sweepAfter(Duration.subtract(limit, Duration.seconds(30))), 0)
      assert.strictEqual((yield* lost.deploy).phase, "pending")
      assert.strictEqual(yield* sweepAfter(Duration.sum(limit, Duration.seconds(1))), 1)
      const ended = yield* lost.deploy
      assert.strictEqual(ended.phase, "failed")
      assert.strictEqual(ended.failure?.code, "Abandoned")
      assert.strictEqual(yield* sweepAfter(Duration.sum(limit, Duration.seconds(1))), 0)
    })
  )

  it.effect("goes on to every other deploy when one's app, or one's row, cannot be read", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const entities = yield* EntityClients
      // The first in the order of the rows: all others come after it.
      const unreadable = Specimens.identity(1)
      const row = { appId: unreadable.appId, deployId: Specimens.deployId(1), requestedAtMs: 0 }
      const place = { model: "running-deploy", parent: "all" }
      yield* journal.append(
        { type: "App", id: unreadable.appId },
        append({
          events: [{ _tag: "OfAnotherVersion" }],
          rows: [
            { ...place, key: row.deployId, row },
            { ...place, key: "0", row: { of: "another version" } }
          ]
        })
      )
      const asked = entities.app(unreadable.appId, (app) => app.GetApp())
      assert.strictEqual((yield* Effect.flip(asked))._tag, "InternalFault")
      const lost = yield* accepted
      const limit = Duration.sum(Duration.sum(deadline, deadline), grace)
      assert.strictEqual(yield* sweepAfter(Duration.sum(limit, Duration.seconds(1))), 1)
      assert.strictEqual((yield* lost.deploy).failure?.code, "Abandoned")
    })
  )

  it.effect("wakes a deploy that runs for long in every round, and no other", () =>
    Effect.gen(function* () {
      const { deployId } = yield* accepted
      const rounds = () => woken.filter((id) => id === deployId).length
      yield* sweepAfter(Duration.zero)
      assert.strictEqual(rounds(), 0)
      yield* sweepAfter(Duration.sum(wakeAfter, Duration.seconds(1)))
      yield* sweepAfter(Duration.sum(wakeAfter, Duration.seconds(31)))
      assert.strictEqual(rounds(), 2)
    })
  )
})
