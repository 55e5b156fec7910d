import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { MessageStorage } from "effect/cluster"
import { PersistenceError } from "effect/cluster/ClusterError"
import * as ShardId from "effect/cluster/ShardId"
import { TestClock } from "effect/testing"
import * as PatientMessages from "@starform/starbase/PatientMessages"

const away = new PersistenceError({ cause: "the connection is gone" })

/** A store that does not answer the first asks, and tells what it was asked. */
const failing = (failures: number) => {
  const asked: Array<string> = []
  const answer = <A>(what: string, value: A) =>
    Effect.suspend(() => {
      asked.push(what)
      return asked.length <= failures ? Effect.fail(away) : Effect.succeed(value)
    })
  const layer = PatientMessages.layer.pipe(
    Layer.provide(
      Layer.succeed(MessageStorage.MessageStorage, {
        ...MessageStorage.noop,
        saveEnvelope: () => answer("save", undefined),
        resetShards: () => answer("reset", undefined),
        unprocessedMessages: () => answer("read", [])
      })
    )
  )
  return { asked, layer }
}

describe("The message store", () => {
  it.effect("is asked again for as long as it does not answer a workflow", () => {
    const { asked, layer } = failing(20)
    return Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      const saved = yield* Effect.forkChild(storage.saveEnvelope({} as never))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(saved)
      assert.strictEqual(asked.length, 21)
    }).pipe(Effect.provide(layer))
  })

  it.effect("gets its claims back after a read that nobody heard, and only then", () => {
    const { asked, layer } = failing(1)
    return Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      const read = storage.unprocessedMessages([ShardId.make("default", 1)])
      assert.strictEqual(yield* Effect.flip(read), away)
      yield* read
      yield* read
      assert.deepStrictEqual(asked, ["read", "reset", "read", "read"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("gets the claims of an owner before this one back, also when the first try fails", () => {
    const { asked, layer } = failing(1)
    return Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      const shards = [ShardId.make("default", 1)]
      yield* Effect.flip(storage.resetShards(shards))
      yield* storage.unprocessedMessages(shards)
      assert.deepStrictEqual(asked, ["reset", "reset", "read"])
    }).pipe(Effect.provide(layer))
  })
})
