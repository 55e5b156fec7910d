/**
 * What every mutating message of every entity promises, whatever it decides: one effect per request id, no payload
 * but the first under it, and no harm from a caller that goes away or a store that does not answer at any step.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, type Scope } from "effect"
import { ShardingConfig } from "effect/cluster"
import { Journal } from "@starform/starbase/journal/Journal"
import { Outbox } from "@starform/starbase/journal/Outbox"
import * as GatedJournal from "./GatedJournal.ts"

interface EntityUnderTest<Client> {
  readonly type: string
  /** A runner of its own, with nothing in memory. */
  readonly runner: Effect.Effect<
    (id: string) => Effect.Effect<Client>,
    never,
    Scope.Scope | Journal | ShardingConfig.ShardingConfig
  >
  readonly state: (client: Client) => Effect.Effect<unknown, unknown>
}

export interface Message<Client> {
  readonly name: string
  /** Brings the entity to where the message has an effect. */
  readonly prepare: (client: Client) => Effect.Effect<unknown, unknown>
  readonly send: (client: Client, requestId: string) => Effect.Effect<unknown, unknown>
  /** Under the same request id, with another payload. */
  readonly sendOther: (client: Client, requestId: string) => Effect.Effect<unknown, unknown>
}

const stepsMax = 20

/** Only things of the entity: every test has a journal of its own. */
const written = Effect.fnUntraced(function* (type: string, id: string) {
  const journal = yield* Journal
  const outbox = yield* Outbox
  const events = yield* journal.read({ type, id }, 0, 1000)
  const due = yield* outbox.due(Number.MAX_SAFE_INTEGER, 1000)
  return { events, due: due.map(({ effect }) => effect) }
})

export const mutationConformance = <Client>(
  entity: EntityUnderTest<Client>,
  id: string,
  messages: ReadonlyArray<Message<Client>>
): void => {
  const services = Layer.merge(GatedJournal.layer, ShardingConfig.layer())

  /** An entity that is ready for the message, and the client of an incarnation that has not loaded it yet. */
  const ready = Effect.fnUntraced(function* (message: Message<Client>) {
    yield* message.prepare(yield* (yield* entity.runner)(id))
    const before = yield* written(entity.type, id)
    return { client: yield* (yield* entity.runner)(id), before }
  })

  /** The entity is as if the message had been delivered once, in memory and in the journal. */
  const checkOnce = Effect.fnUntraced(function* (message: Message<Client>, client: Client) {
    const journal = yield* written(entity.type, id)
    const reference = yield* Effect.gen(function* () {
      const { client } = yield* ready(message)
      const reply = yield* message.send(client, "once")
      return { reply, state: yield* entity.state(client), journal: yield* written(entity.type, id) }
    }).pipe(Effect.scoped, Effect.provide(services))
    assert.deepStrictEqual(yield* entity.state(client), reference.state)
    assert.deepStrictEqual(journal, reference.journal)
    return reference.reply
  })

  for (const message of messages) {
    describe(`${message.name}`, () => {
      it.effect("has one effect and one answer when delivered twice, also to another incarnation", () =>
        Effect.gen(function* () {
          const { client, before } = yield* ready(message)
          const first = yield* message.send(client, "once")
          const after = yield* written(entity.type, id)
          assert.isAbove(after.events.length, before.events.length)
          assert.deepStrictEqual(yield* message.send(client, "once"), first)
          const other = yield* (yield* entity.runner)(id)
          assert.deepStrictEqual(yield* message.send(other, "once"), first)
          assert.deepStrictEqual(yield* written(entity.type, id), after)
          assert.deepStrictEqual(yield* entity.state(other), yield* entity.state(client))
        }).pipe(Effect.scoped, Effect.provide(services))
      )

      it.effect("is refused when delivered twice with another payload", () =>
        Effect.gen(function* () {
          const { client } = yield* ready(message)
          yield* message.send(client, "once")
          const after = yield* written(entity.type, id)
          const error = yield* Effect.flip(message.sendOther(client, "once"))
          assert.deepInclude(error, { _tag: "RequestIdReused", requestId: "once" })
          assert.deepStrictEqual(yield* written(entity.type, id), after)
        }).pipe(Effect.scoped, Effect.provide(services))
      )

      it.effect("INV-JRN-6 leaves the next command unharmed when its caller goes away at any step", () =>
        Effect.gen(function* () {
          let hasReached = true
          let steps = 0
          for (; hasReached; steps++) {
            assert.isBelow(steps, stepsMax)
            const stopAt = steps
            hasReached = yield* Effect.gen(function* () {
              const gate = yield* GatedJournal.JournalGate
              const { client } = yield* ready(message)
              const reached = yield* Deferred.make<boolean>()
              const released = yield* Deferred.make<void>()
              let count = 0
              const stop = () =>
                count++ === stopAt
                  ? Deferred.succeed(reached, true).pipe(Effect.andThen(Deferred.await(released)))
                  : Effect.void
              const isReached = yield* Effect.gen(function* () {
                const caller = yield* Effect.forkChild(
                  message.send(client, "once").pipe(Effect.andThen(Deferred.succeed(reached, false)))
                )
                const isReached = yield* Deferred.await(reached)
                const interrupted = yield* Effect.forkChild(Fiber.interrupt(caller), {
                  startImmediately: true
                })
                // The interruption is a message to the entity: let it arrive before the step ends.
                yield* Effect.repeat(Effect.yieldNow, { times: 50 })
                yield* Deferred.succeed(released, undefined)
                yield* Fiber.join(interrupted)
                return isReached
              }).pipe(gate.during(stop))
              const reply = yield* message.send(client, "once")
              assert.deepStrictEqual(reply, yield* checkOnce(message, client))
              return isReached
            }).pipe(Effect.scoped, Effect.provide(services))
          }
          assert.isAbove(steps, 4)
        })
      )

      it.effect("INV-JRN-4 is settled by a repeat when the store answers nothing at any step", () =>
        Effect.gen(function* () {
          let hasReached = true
          let steps = 0
          for (; hasReached; steps++) {
            assert.isBelow(steps, stepsMax)
            const stopAt = steps
            hasReached = yield* Effect.gen(function* () {
              const gate = yield* GatedJournal.JournalGate
              const { client } = yield* ready(message)
              let count = 0
              const fail: GatedJournal.Gate = (step) =>
                count++ === stopAt ? GatedJournal.lost(step, { type: entity.type, id }) : Effect.void
              const answer = yield* Effect.result(message.send(client, "once")).pipe(gate.during(fail))
              const isReached = count > stopAt
              assert.strictEqual(answer._tag, isReached ? "Failure" : "Success")
              if (answer._tag === "Failure") assert.deepInclude(answer.failure, { _tag: "Unavailable" })
              const reply = yield* message.send(client, "once")
              assert.deepStrictEqual(reply, yield* checkOnce(message, client))
              return isReached
            }).pipe(Effect.scoped, Effect.provide(services))
          }
          assert.isAbove(steps, 4)
        })
      )
    })
  }
}
