import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { Message, MessageStorage } from "effect/cluster"
import { PersistenceError } from "effect/cluster/ClusterError"
import * as ShardId from "effect/cluster/ShardId"
import { TestClock } from "effect/testing"
import * as PatientMessages from "@starform/starbase/PatientMessages"

const away = new PersistenceError({ cause: "the connection is gone" })

const reply = { reply: { _tag: "WithExit", requestId: 1n } } as never

/** Whether the store is away when it is asked, for the n-th time. */
type Away = (what: string, n: number) => boolean

const first =
  (failures: number): Away =>
  (_, n) =>
    n <= failures

/** A store that is away at times, and tells what it was asked. */
const failing = (isAway: Away, kept: ReadonlyArray<object> = []) => {
  const asked: Array<string> = []
  const answer = <A>(what: string, value: A) =>
    Effect.suspend(() => (isAway(what, asked.push(what)) ? Effect.fail(away) : Effect.succeed(value)))
  const layer = PatientMessages.layer.pipe(
    Layer.provide(
      Layer.succeed(MessageStorage.MessageStorage, {
        ...MessageStorage.noop,
        saveEnvelope: () => answer("save", undefined),
        saveReply: () => answer("reply", undefined),
        repliesForUnfiltered: () => answer("replies", kept as never),
        unregisterReplyHandler: () => Effect.sync(() => void asked.push("send who waits to read")),
        resetShards: () => answer("reset", undefined),
        unprocessedMessages: () =>
          Effect.andThen(Effect.yieldNow, answer("read", [new Message.IncomingRequest({} as never)]))
      })
    )
  )
  return { asked, layer }
}

describe("The message store", () => {
  it.effect("is asked again for as long as it does not answer a workflow", () => {
    const { asked, layer } = failing(first(20))
    return Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      const saved = yield* Effect.forkChild(storage.saveEnvelope({} as never))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(saved)
      assert.strictEqual(asked.length, 21)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is asked again to keep a reply, also one of a request that was interrupted", () => {
    const { asked, layer } = failing(first(5))
    return Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      const request = yield* Effect.forkChild(Effect.onExit(Effect.never, () => storage.saveReply(reply)))
      yield* TestClock.adjust(0)
      request.interruptUnsafe()
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(asked, ["reply", "replies", "replies", "replies", "replies", "replies", "reply"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("keeps one reply: whoever waits for one that was kept unheard reads it", () => {
    const { asked, layer } = failing(first(1), [{ _tag: "WithExit" }])
    return Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      yield* storage.saveReply(reply)
      assert.deepStrictEqual(asked, ["reply", "replies", "send who waits to read"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("hears of the reply of a message that was read from it in the same way", () => {
    const { asked, layer } = failing((what) => what === "reply", [{ _tag: "WithExit" }])
    return Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      const [message] = yield* storage.unprocessedMessages([ShardId.make("default", 1)])
      assert.strictEqual(message?._tag, "IncomingRequest")
      if (message?._tag === "IncomingRequest") yield* message.respond(reply)
      assert.deepStrictEqual(asked, ["read", "reply", "replies", "send who waits to read"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("gets its claims back after a read that nobody heard, and only then", () => {
    const { asked, layer } = failing(first(1))
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
    const { asked, layer } = failing(first(1))
    return Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      const shards = [ShardId.make("default", 1)]
      yield* Effect.flip(storage.resetShards(shards))
      yield* storage.unprocessedMessages(shards)
      assert.deepStrictEqual(asked, ["reset", "reset", "read"])
    }).pipe(Effect.provide(layer))
  })

  it.effect(
    "gives the claim of a request that lost its shard back with the next read, which it has ended by",
    () => {
      const { asked, layer } = failing(first(0))
      return Effect.gen(function* () {
        const storage = yield* MessageStorage.MessageStorage
        const shards = [ShardId.make("default", 1)]
        yield* storage.resetRequests([])
        assert.deepStrictEqual(asked, [])
        yield* storage.unprocessedMessages(shards)
        yield* storage.unprocessedMessages(shards)
        assert.deepStrictEqual(asked, ["reset", "read", "read"])
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect("remembers a claim that was left while a read was under way", () => {
    const { asked, layer } = failing(first(0))
    return Effect.gen(function* () {
      const storage = yield* MessageStorage.MessageStorage
      const shards = [ShardId.make("default", 1)]
      const read = storage.unprocessedMessages(shards)
      yield* Effect.all([read, storage.resetRequests([])], { concurrency: 2 })
      yield* read
      assert.strictEqual(asked.filter((what) => what === "reset").length, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect(
    "gives claims back every half minute, for those that an owner left which was dead by then",
    () => {
      const { asked, layer } = failing(first(0))
      return Effect.gen(function* () {
        const storage = yield* MessageStorage.MessageStorage
        const read = storage.unprocessedMessages([ShardId.make("default", 1)])
        yield* read
        yield* TestClock.adjust(PatientMessages.claimsLast)
        yield* read
        yield* read
        assert.deepStrictEqual(asked, ["read", "reset", "read", "read"])
      }).pipe(Effect.provide(layer))
    }
  )
})
