import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Stream } from "effect"
import { BuildId, WorkspaceId } from "@starform/domain/ids/Ids"
import * as BuildQueue from "@starform/starbase/builds/BuildQueue"

const build = (n: number, of: number) => ({
  buildId: BuildId.make(`00000000-0000-4000-8000-${String(n).padStart(12, "0")}`),
  workspaceId: WorkspaceId.make(`00000000-0000-4000-9000-${String(of).padStart(12, "0")}`)
})

const run = (n: number, of: number, until: Deferred.Deferred<void>, started: Array<number>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const queue = yield* BuildQueue.BuildQueue
      const place = yield* queue.enter(build(n, of))
      yield* place.turn
      started.push(n)
      yield* Deferred.await(until)
    })
  )

const settle = Effect.repeat(Effect.yieldNow, { times: 50 })

describe("BuildQueue", () => {
  it.effect("runs two builds at once and the others as slots become free", () =>
    Effect.gen(function* () {
      const started: Array<number> = []
      const ends = yield* Effect.forEach([1, 2, 3, 4], () => Deferred.make<void>())
      for (const n of [1, 2, 3, 4]) yield* Effect.forkChild(run(n, n, ends[n - 1]!, started))
      yield* settle
      assert.deepStrictEqual(started, [1, 2])
      yield* Deferred.succeed(ends[1]!, undefined)
      yield* settle
      assert.deepStrictEqual(started, [1, 2, 3])
    }).pipe(Effect.provide(BuildQueue.layer()))
  )

  it.effect("streams a waiting build's position until it runs", () =>
    Effect.gen(function* () {
      const queue = yield* BuildQueue.BuildQueue
      const started: Array<number> = []
      const first = yield* Deferred.make<void>()
      const second = yield* Deferred.make<void>()
      yield* Effect.forkChild(run(1, 1, first, started))
      yield* settle
      yield* Effect.forkChild(run(2, 2, second, started))
      yield* settle
      const place = yield* queue.enter(build(3, 3))
      const positions: Array<number> = []
      const watching = yield* Effect.forkChild(
        Stream.runForEach(place.positions, (position) => Effect.sync(() => positions.push(position)))
      )
      yield* settle
      assert.deepStrictEqual(positions, [2])
      yield* Deferred.succeed(first, undefined)
      yield* settle
      assert.deepStrictEqual(positions, [2, 1])
      yield* Deferred.succeed(second, undefined)
      yield* Fiber.join(watching)
      assert.deepStrictEqual(positions, [2, 1, 0])
    }).pipe(Effect.scoped, Effect.provide(BuildQueue.layer({ runningMax: 1 })))
  )

  it.effect("gives the place of an interrupted build to the next", () =>
    Effect.gen(function* () {
      const started: Array<number> = []
      const never = yield* Deferred.make<void>()
      const first = yield* Effect.forkChild(run(1, 1, never, started))
      yield* settle
      yield* Effect.forkChild(run(2, 1, never, started))
      yield* settle
      assert.deepStrictEqual(started, [1])
      yield* Fiber.interrupt(first)
      yield* settle
      assert.deepStrictEqual(started, [1, 2])
    }).pipe(Effect.provide(BuildQueue.layer()))
  )

  it.effect("refuses a workspace that has too many builds waiting, and keeps no place for the refused", () =>
    Effect.gen(function* () {
      const queue = yield* BuildQueue.BuildQueue
      yield* queue.enter(build(1, 1))
      yield* queue.enter(build(2, 1))
      const refused = yield* Effect.exit(Effect.scoped(queue.enter(build(3, 1))))
      assert.isTrue(Exit.isFailure(refused))
      const place = yield* queue.enter(build(4, 2))
      yield* place.turn
    }).pipe(Effect.scoped, Effect.provide(BuildQueue.layer({ waitingPerWorkspaceMax: 1 })))
  )
})
