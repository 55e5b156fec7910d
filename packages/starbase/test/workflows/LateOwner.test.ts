import { assert, it } from "@effect/vitest"
import { randomUUID } from "node:crypto"
import { Effect, Layer, Schedule } from "effect"
import { ShardingConfig, TestRunner } from "effect/cluster"
import { WorkflowEngine } from "effect/workflow"
import { DeployId } from "@starform/domain/ids/Ids"
import * as BuildLog from "@starform/starbase/builds/BuildLog"
import * as BuildLogIndexMemory from "@starform/starbase/builds/BuildLogIndexMemory"
import * as Entities from "@starform/starbase/Entities"
import type { AppState } from "@starform/starbase/entities/app/AppEntity"
import { EntityClients } from "@starform/starbase/entities/EntityClients"
import * as JournalMemory from "@starform/starbase/journal/JournalMemory"
import * as StarbaseConfig from "@starform/starbase/StarbaseConfig"
import * as BlobStoreMemory from "@starform/starbase/storage/BlobStoreMemory"
import * as BuildRelease from "@starform/starbase/workflows/BuildRelease"
import * as DeployRelease from "@starform/starbase/workflows/DeployRelease"
import * as Specimens from "../entities/Specimens.ts"
import * as ScriptedBuilder from "../harness/ScriptedBuilder.ts"

const world = Entities.layerNoDeps.pipe(
  Layer.provideMerge(TestRunner.layer),
  Layer.provideMerge(JournalMemory.layer),
  Layer.provideMerge(
    ScriptedBuilder.layer(() =>
      Effect.succeed({
        ...Specimens.built(DeployId.make(randomUUID())),
        durations: { queuedMs: 0, sourceMs: 0, installMs: 0, buildMs: 0, packageMs: 0, totalMs: 0 }
      })
    )
  ),
  Layer.provideMerge(BuildLog.layer()),
  Layer.provideMerge(Layer.merge(BuildLogIndexMemory.layer, BlobStoreMemory.layer)),
  Layer.provideMerge(StarbaseConfig.layerTest({})),
  Layer.provideMerge(ShardingConfig.layer())
)

/** The next reads of an App are answered by an owner that knows no more than `before`; its commands go to the newest. */
const late = (before: AppState, reads: number) => {
  let left = reads
  return Layer.effect(
    EntityClients,
    Effect.map(EntityClients, (entities) =>
      EntityClients.of({
        ...entities,
        app: (id, ask, wait) =>
          entities.app(
            id,
            (app) =>
              ask({
                ...app,
                GetApp: ((...asked: Parameters<typeof app.GetApp>) =>
                  Effect.map(app.GetApp(...asked), (state) =>
                    left-- > 0 ? before : state
                  )) as typeof app.GetApp,
                StartBuild: app.StartBuild,
                RecordRelease: app.RecordRelease,
                StartRollout: app.StartRollout,
                FailDeploy: app.FailDeploy
              }),
            wait
          )
      })
    )
  )
}

it.layer(world, { timeout: 30_000, excludeTestServices: true })("A deploy", (it) => {
  it.effect("is built although the owner that is asked what to build does not know it yet", () =>
    Effect.gen(function* () {
      const entities = yield* EntityClients
      const identity = Specimens.uniqueIdentity()
      const { appId } = identity
      const deployId = DeployId.make(randomUUID())
      yield* entities.app(appId, (app) => app.CreateApp({ ...Specimens.request("create"), identity }))
      const before = yield* entities.app(appId, (app) => app.GetApp())
      yield* entities.app(appId, (app) => app.AcceptPush(Specimens.push(deployId)))
      const engine = Layer.mergeAll(DeployRelease.layerNoDeps, BuildRelease.layerNoDeps).pipe(
        Layer.provideMerge(Layer.fresh(WorkflowEngine.layerMemory)),
        Layer.provideMerge(late(before, 2))
      )
      const context = yield* Layer.build(engine)
      yield* DeployRelease.DeployRelease.execute({ appId, deployId, kind: "push" }, { discard: true }).pipe(
        Effect.provideContext(context)
      )
      const deploy = entities.app(appId, (app) => app.AwaitDeploy({ deployId, phasesSeen: 0, waitMs: 0 }))
      const { phase } = yield* deploy.pipe(
        Effect.repeat({ until: (now) => now.phase === "deploying", schedule: Schedule.spaced("10 millis") }),
        Effect.timeout("10 seconds")
      )
      assert.strictEqual(phase, "deploying")
    }).pipe(Effect.scoped)
  )
})
