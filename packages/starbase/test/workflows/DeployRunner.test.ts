import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule, Stream } from "effect"
import {
  EntityId,
  MessageStorage,
  RunnerHealth,
  Runners,
  RunnerStorage,
  Sharding,
  ShardingConfig
} from "effect/cluster"
import { TestClock } from "effect/testing"
import { WorkflowEngine } from "effect/workflow"
import { BuildId } from "@starform/domain/ids/Ids"
import { BuilderUnavailable, BuildUnknown } from "@starform/starbase/builds/BuildErrors"
import { BuildService } from "@starform/starbase/builds/BuildService"
import { shardGroups } from "@starform/starbase/ClusterRunner"
import * as BuildOwner from "@starform/starbase/workflows/BuildOwner"
import * as DeployRunner from "@starform/starbase/workflows/DeployRunner"
import { DeployRuns } from "@starform/starbase/workflows/DeployRuns"
import * as Specimens from "../entities/Specimens.ts"

type Cancel = BuildService["Service"]["cancel"]

/** A builder that knows no build and answers to a cancellation as the test says. */
const builderThat = (cancel: Cancel) =>
  Layer.succeed(BuildService, {
    ensureProject: () => Effect.void,
    submit: (spec) => Effect.succeed(spec),
    logs: () => Stream.empty,
    status: ({ buildId }) => Effect.fail(new BuildUnknown({ buildId })),
    statusChanges: () => Stream.empty,
    await: ({ buildId }) => Effect.fail(new BuildUnknown({ buildId })),
    cancel
  })

const runner = Sharding.layer.pipe(
  Layer.provide([Runners.layerNoop, RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
  Layer.provide(MessageStorage.layerMemory),
  Layer.provide(ShardingConfig.layer({ availableShardGroups: shardGroups, assignedShardGroups: shardGroups }))
)

/** Lets time pass until a condition holds, at most an hour. */
const passUntil = (holds: () => boolean) =>
  Effect.repeat(TestClock.adjust("1 second"), { until: holds, schedule: Schedule.recurs(3_600) }).pipe(
    Effect.tap(() => Effect.sync(() => assert.isTrue(holds())))
  )

/** Nobody can be asked before the runner has its shards. */
const ready = Effect.flatMap(Sharding.Sharding, (sharding) =>
  passUntil(() => sharding.hasShardId(sharding.getShardId(EntityId.make("any"), "builds")))
)

const withBuilder = <A, E>(cancel: Cancel, test: Effect.Effect<A, E, DeployRuns>) =>
  Effect.provide(
    Effect.andThen(ready, test),
    DeployRunner.layerNoDeps.pipe(
      Layer.provide([BuildOwner.layerNoDeps, WorkflowEngine.layerMemory]),
      Layer.provide(builderThat(cancel)),
      Layer.provideMerge(runner)
    )
  )

const handle = {
  buildId: BuildId.make(Specimens.deployId(1)),
  workspaceId: Specimens.uniqueIdentity().workspaceId
}

const away = new BuilderUnavailable({ operation: "cancel", cause: "away" })

describe("cancelBuild", () => {
  it.effect("is done when the builder has answered", () => {
    let cancelled = false
    return withBuilder(
      () => Effect.sync(() => void (cancelled = true)),
      Effect.gen(function* () {
        // No time passes meanwhile.
        yield* (yield* DeployRuns).cancelBuild(handle)
        assert.isTrue(cancelled)
      })
    )
  })

  it.effect("waits no longer than a second for a builder that does not answer (INV-WF-5)", () =>
    withBuilder(
      () => Effect.never,
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild((yield* DeployRuns).cancelBuild(handle))
        yield* TestClock.adjust(DeployRunner.builderAnswerMax)
        yield* Fiber.join(fiber)
      })
    )
  )

  it.effect("asks a builder that is away until it answers, once for all who want it (INV-WF-5)", () => {
    let attempts = 0
    let isBack = false
    return withBuilder(
      () => Effect.suspend(() => (attempts++, isBack ? Effect.void : Effect.fail(away))),
      Effect.gen(function* () {
        const { cancelBuild } = yield* DeployRuns
        for (const _ of [1, 2]) {
          const fiber = yield* Effect.forkChild(cancelBuild(handle))
          yield* TestClock.adjust(DeployRunner.builderAnswerMax)
          yield* Fiber.join(fiber)
        }
        yield* passUntil(() => attempts > 8)
        yield* TestClock.adjust("10 minutes")
        assert.isAtMost(attempts, 40)
        isBack = true
        const before = attempts
        yield* passUntil(() => attempts > before)
        const answered = attempts
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(attempts, answered)
      })
    )
  })
})
