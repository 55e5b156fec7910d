/** The promises of the journal, its outbox and its read models; every implementation runs this suite. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Layer, Option } from "effect"
import { type Append, type EntityKey, Journal } from "@starform/starbase/journal/Journal"
import { Outbox } from "@starform/starbase/journal/Outbox"
import { ReadModels } from "@starform/starbase/journal/ReadModels"

let next = 0

const entity = (): EntityKey => ({ type: "Thing", id: `thing-${process.pid}-${next++}` })

const append = (fields: Partial<Append> = {}): Append => ({
  after: 0,
  events: [{ _tag: "Happened" }],
  actor: "operator",
  requestId: `request-${next++}`,
  atMs: 1_700_000_000_123,
  reply: { payloadHash: "hash", reply: { ok: true } },
  effects: [],
  reserve: [],
  release: [],
  rows: [],
  ...fields
})

export const journalConformance = <E>(
  name: string,
  layer: Layer.Layer<Journal | Outbox | ReadModels, E>
): void => {
  it.layer(layer, { timeout: 60_000, excludeTestServices: true })(name, (it) => {
    it.effect("loads nothing for an entity that never was", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const history = yield* journal.load(entity())
        assert.isTrue(Option.isNone(history.snapshot))
        assert.deepStrictEqual(history.events, [])
      })
    )

    it.effect("gives back events in order, whole and unchanged", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const key = entity()
        const event = { _tag: "Named", text: 'quote " and \\ and é 🚀', nested: { list: [1, null, true] } }
        yield* journal.append(key, append({ events: [event, { _tag: "Second" }], requestId: "r1" }))
        yield* journal.append(key, append({ after: 2, requestId: "r2" }))
        const { events } = yield* journal.load(key)
        assert.deepStrictEqual(
          events.map(({ sequence }) => sequence),
          [1, 2, 3]
        )
        assert.deepStrictEqual(events[0], {
          sequence: 1,
          event,
          actor: "operator",
          requestId: "r1",
          atMs: 1_700_000_000_123
        })
      })
    )

    it.effect("INV-JRN-1 fences an append that follows an old sequence, and writes nothing of it", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const outbox = yield* Outbox
        const models = yield* ReadModels
        const key = entity()
        yield* journal.append(key, append())
        const late = append({
          effects: [{ _tag: "Effect", of: key.id }],
          reserve: [{ kind: "slug", name: key.id }],
          rows: [{ model: "thing", key: key.id, parent: "all", row: 1 }]
        })
        const error = yield* Effect.flip(journal.append(key, late))
        assert.strictEqual(error._tag, "Fenced")
        assert.strictEqual((yield* journal.load(key)).events.length, 1)
        assert.isTrue(Option.isNone(yield* journal.recall(key, late.requestId)))
        assert.isTrue(Option.isNone(yield* models.holder("slug", key.id)))
        assert.isTrue(Option.isNone(yield* models.get("thing", key.id)))
        const due = yield* outbox.due(Number.MAX_SAFE_INTEGER, 1000)
        assert.isFalse(due.some((row) => row.key.id === key.id))
      })
    )

    it.effect("INV-JRN-1 lets exactly one of many racing appends win", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const key = entity()
        const exits = yield* Effect.all(
          Array.from({ length: 16 }, () => Effect.exit(journal.append(key, append()))),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
        assert.strictEqual((yield* journal.load(key)).events.length, 1)
      })
    )

    it.effect("INV-JRN-2 recalls the reply of a request, also when it changed nothing", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const key = entity()
        yield* journal.append(
          key,
          append({ events: [], requestId: "noop", reply: { payloadHash: "h", reply: { answer: 42 } } })
        )
        const reply = yield* journal.recall(key, "noop")
        assert.deepStrictEqual(Option.getOrThrow(reply), { payloadHash: "h", reply: { answer: 42 } })
        assert.isTrue(Option.isNone(yield* journal.recall(entity(), "noop")))
      })
    )

    it.effect("INV-JRN-2 refuses a second append under one request id", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const key = entity()
        yield* journal.append(key, append({ requestId: "twice" }))
        const error = yield* Effect.flip(journal.append(key, append({ after: 1, requestId: "twice" })))
        assert.strictEqual(error._tag, "Fenced")
        assert.strictEqual((yield* journal.load(key)).events.length, 1)
      })
    )

    it.effect("keeps no reply for input that is idempotent by its meaning", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const key = entity()
        yield* journal.append(key, append({ reply: null, requestId: "report" }))
        assert.isTrue(Option.isNone(yield* journal.recall(key, "report")))
      })
    )

    it.effect("reserves a name once, names the held one, and frees it on release", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const models = yield* ReadModels
        const [first, second] = [entity(), entity()]
        const wanted = { kind: "hostname", name: `host-${first.id}` }
        yield* journal.append(first, append({ reserve: [wanted] }))
        assert.deepStrictEqual(yield* models.holder(wanted.kind, wanted.name), Option.some(first.id))
        const free = { kind: "hostname", name: `free-${second.id}` }
        const error = yield* Effect.flip(journal.append(second, append({ reserve: [free, wanted] })))
        assert.strictEqual(error._tag, "NameHeld")
        assert.deepInclude(error, wanted)
        assert.isTrue(Option.isNone(yield* models.holder(free.kind, free.name)))
        yield* journal.append(first, append({ after: 1, release: [wanted] }))
        yield* journal.append(second, append({ reserve: [wanted] }))
        assert.deepStrictEqual(yield* models.holder(wanted.kind, wanted.name), Option.some(second.id))
      })
    )

    it.effect("writes, replaces, lists and removes rows of read models", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const models = yield* ReadModels
        const key = entity()
        const row = (name: string, value: unknown) => ({
          model: "m",
          key: `${key.id}/${name}`,
          parent: key.id,
          row: value
        })
        yield* journal.append(key, append({ rows: [row("b", { n: 1 }), row("a", { n: 2 })] }))
        assert.deepStrictEqual(yield* models.list("m", key.id), [{ n: 2 }, { n: 1 }])
        yield* journal.append(key, append({ after: 1, rows: [row("a", { n: 3 }), row("b", null)] }))
        assert.deepStrictEqual(yield* models.list("m", key.id), [{ n: 3 }])
        assert.deepStrictEqual(yield* models.get("m", `${key.id}/a`), Option.some({ n: 3 }))
        assert.isTrue(Option.isNone(yield* models.get("m", `${key.id}/b`)))
      })
    )

    it.effect("starts from the newest snapshot and never goes back to an older one", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const key = entity()
        yield* journal.append(key, append({ events: [{ n: 1 }, { n: 2 }, { n: 3 }] }))
        yield* journal.saveSnapshot(key, { sequence: 2, state: { sum: 3 }, atMs: 5 })
        yield* journal.saveSnapshot(key, { sequence: 1, state: { sum: 1 }, atMs: 6 })
        const history = yield* journal.load(key)
        assert.deepStrictEqual(Option.getOrThrow(history.snapshot), {
          sequence: 2,
          state: { sum: 3 },
          atMs: 5
        })
        assert.deepStrictEqual(
          history.events.map(({ sequence }) => sequence),
          [3]
        )
      })
    )

    it.effect("reads pages of a journal", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const key = entity()
        yield* journal.append(key, append({ events: Array.from({ length: 7 }, (_, n) => ({ n })) }))
        const page = yield* journal.read(key, 2, 3)
        assert.deepStrictEqual(
          page.map(({ sequence }) => sequence),
          [3, 4, 5]
        )
        const last = yield* journal.read(key, 5, 500)
        assert.deepStrictEqual(
          last.map(({ sequence }) => sequence),
          [6, 7]
        )
        assert.deepStrictEqual(yield* journal.read(key, 7, 500), [])
        assert.deepStrictEqual(yield* journal.read(entity(), 0, 500), [])
      })
    )

    it.effect("offers one entity's effects one at a time, oldest first, until each is done", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const outbox = yield* Outbox
        const key = entity()
        const mine = Effect.map(outbox.due(1_000, 1000), (rows) =>
          rows.filter((row) => row.key.id === key.id)
        )
        yield* journal.append(key, append({ effects: [{ n: 1 }, { n: 2 }] }))
        yield* journal.append(key, append({ after: 1, effects: [{ n: 3 }] }))
        for (const n of [1, 2, 3]) {
          const rows = yield* mine
          assert.deepStrictEqual(
            rows.map((row) => row.effect),
            [{ n }]
          )
          yield* outbox.done(rows)
        }
        assert.deepStrictEqual(yield* mine, [])
      })
    )

    it.effect("holds a postponed effect back until its time, and counts attempts", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const outbox = yield* Outbox
        const key = entity()
        const mine = (now: number) =>
          Effect.map(outbox.due(now, 1000), (rows) => rows.filter((row) => row.key.id === key.id))
        yield* journal.append(key, append({ effects: [{ n: 1 }] }))
        const [row] = yield* mine(1_000)
        assert.isDefined(row)
        yield* outbox.postpone(row!, 5_000, "the other side is away")
        assert.deepStrictEqual(yield* mine(4_999), [])
        assert.strictEqual((yield* mine(5_000))[0]?.attempts, 1)
      })
    )

    it.effect("tells operators what of an entity waits, and makes it due now when they ask", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const outbox = yield* Outbox
        const key = entity()
        assert.deepStrictEqual(yield* outbox.backlog(10, key), [])
        yield* journal.append(key, append({ effects: [{ _tag: "First" }, { _tag: "Second" }] }))
        const mine = Effect.map(outbox.due(1_000, 1000), (rows) =>
          rows.filter((row) => row.key.id === key.id)
        )
        const [row] = yield* mine
        yield* outbox.postpone(row!, 5_000, "the other side is away")
        const waiting = {
          key,
          rows: 2,
          effect: "First",
          atMs: 1_700_000_000_123,
          attempts: 1,
          dueMs: 5_000,
          problem: "the other side is away"
        }
        assert.deepStrictEqual(yield* outbox.backlog(10, key), [waiting])
        assert.deepInclude(yield* outbox.backlog(1_000), waiting)
        assert.deepStrictEqual(yield* mine, [])
        yield* outbox.hasten(key)
        assert.strictEqual((yield* mine)[0]?.attempts, 1)
      })
    )

    it.effect("wakes the relay when an append causes effects", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const outbox = yield* Outbox
        const awaitWork = yield* outbox.awaitWork
        const waiting = yield* Effect.forkChild(awaitWork, { startImmediately: true })
        yield* journal.append(entity(), append({ effects: [{ n: 1 }] }))
        yield* Fiber.join(waiting).pipe(Effect.timeout("5 seconds"))
      }).pipe(Effect.scoped)
    )
  })
}
