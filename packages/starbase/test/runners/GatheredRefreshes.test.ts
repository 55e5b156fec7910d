import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { ClusterError, RunnerAddress, RunnerStorage, ShardId } from "effect/cluster"
import * as GatheredRefreshes from "@starform/starbase/runners/GatheredRefreshes"

const address = RunnerAddress.make("127.0.0.1", 1)
const shard = (n: number) => ShardId.make("default", n)
const names = (shards: Iterable<ShardId.ShardId>) => Array.from(shards, String)

/** A storage that answers a refresh when the test says so. */
const asked: Array<{
  readonly shards: ReadonlyArray<string>
  readonly answer: (exit: Exit.Exit<Array<ShardId.ShardId>, ClusterError.PersistenceError>) => void
}> = []

const slow = Layer.effect(
  RunnerStorage.RunnerStorage,
  Effect.map(RunnerStorage.makeMemory, (storage) =>
    RunnerStorage.RunnerStorage.of({
      ...storage,
      refresh: (_, shards) =>
        Effect.suspend(() => {
          const answered = Deferred.makeUnsafe<Array<ShardId.ShardId>, ClusterError.PersistenceError>()
          asked.push({ shards: names(shards), answer: (exit) => Deferred.doneUnsafe(answered, exit) })
          return Deferred.await(answered)
        })
    })
  )
)

const storage = Effect.suspend(() => {
  asked.length = 0
  return Effect.service(RunnerStorage.RunnerStorage)
})

const refresh = (...numbers: ReadonlyArray<number>) =>
  Effect.flatMap(RunnerStorage.RunnerStorage, (gathered) =>
    Effect.map(gathered.refresh(address, numbers.map(shard)), names)
  ).pipe(Effect.exit, Effect.forkChild({ startImmediately: true }))

const gathered = GatheredRefreshes.layerNoDeps.pipe(Layer.provide(slow))

describe("GatheredRefreshes", () => {
  it.effect("asks once for all that is asked for meanwhile, and tells each what of its own was kept", () =>
    Effect.gen(function* () {
      yield* storage
      const first = yield* refresh(1)
      const others = [yield* refresh(1, 2), yield* refresh(3), yield* refresh(2, 4)]
      assert.deepStrictEqual(
        asked.map(({ shards }) => shards),
        [["default:1"]]
      )
      asked[0]!.answer(Exit.succeed([shard(1)]))
      assert.deepStrictEqual(yield* Fiber.join(first), Exit.succeed(["default:1"]))
      assert.deepStrictEqual(asked[1]?.shards, ["default:1", "default:2", "default:3", "default:4"])
      asked[1]!.answer(Exit.succeed([shard(2), shard(3)]))
      assert.deepStrictEqual(yield* Fiber.join(others[0]!), Exit.succeed(["default:2"]), "1 is lost by now")
      assert.deepStrictEqual(yield* Fiber.join(others[1]!), Exit.succeed(["default:3"]))
      assert.deepStrictEqual(yield* Fiber.join(others[2]!), Exit.succeed(["default:2"]))
      assert.lengthOf(asked, 2)
    }).pipe(Effect.provide(gathered))
  )

  it.effect("goes on after one that failed, and after one whose askers went away", () =>
    Effect.gen(function* () {
      yield* storage
      const failing = yield* refresh(1)
      const leaving = yield* refresh(2)
      asked[0]!.answer(Exit.fail(new ClusterError.PersistenceError({ cause: "away" })))
      assert.isTrue(Exit.isFailure(yield* Fiber.join(failing)))
      yield* Fiber.interrupt(leaving)
      const last = yield* refresh(3)
      asked[1]!.answer(Exit.succeed([]))
      yield* Effect.yieldNow
      asked[2]!.answer(Exit.succeed([shard(3)]))
      assert.deepStrictEqual(yield* Fiber.join(last), Exit.succeed(["default:3"]))
    }).pipe(Effect.provide(gathered))
  )

  it.effect("lets the probe of a storage that was away pass at once", () =>
    Effect.gen(function* () {
      yield* storage
      yield* refresh(1)
      const probe = yield* refresh()
      assert.deepStrictEqual(asked[1]?.shards, [])
      asked[1]!.answer(Exit.succeed([]))
      assert.deepStrictEqual(yield* Fiber.join(probe), Exit.succeed([]))
    }).pipe(Effect.provide(gathered))
  )
})
