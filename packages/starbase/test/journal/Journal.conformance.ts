/** The promises of the journal, its outbox and its read models; every implementation runs this suite. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, type Layer, Option, Result } from "effect"
import { type Append, type AppendError, type EntityKey, Journal } from "@starform/starbase/journal/Journal"
import { defaults, type JournalSettings } from "@starform/starbase/journal/JournalSettings"
import { lineOf, Outbox, shareOf } from "@starform/starbase/journal/Outbox"
import { ReadModels } from "@starform/starbase/journal/ReadModels"
import { append, entity } from "./Appends.ts"

type Services = Journal | Outbox | ReadModels

/** Bounds of the crowded journal: a handful may wait, the rest is refused. */
export const crowded: JournalSettings = {
  ...defaults,
  appends: { ...defaults.appends, membersMax: 2, groupsMax: 1, waitingMax: 4 },
  retryAfterSeconds: 3
}

/** All at once, so that they meet in groups. */
const together = (appends: ReadonlyArray<readonly [EntityKey, Append]>) =>
  Effect.gen(function* () {
    const journal = yield* Journal
    return yield* Effect.forEach(appends, ([key, append]) => Effect.result(journal.append(key, append)), {
      concurrency: "unbounded"
    })
  })

const tagOf = (result: Result.Result<void, AppendError>) =>
  Result.isFailure(result) ? result.failure._tag : "written"

/** What is left of an append whose entity, names and rows nobody else has. */
const traces = (key: EntityKey, append: Append) =>
  Effect.gen(function* () {
    const [journal, outbox, models] = [yield* Journal, yield* Outbox, yield* ReadModels]
    const events = yield* journal.read(key, 0, 1000)
    const reply = yield* journal.recall(key, append.requestId)
    const due = yield* outbox.due(Number.MAX_SAFE_INTEGER, 10_000)
    const rows = yield* Effect.forEach(append.rows, ({ model, key }) => models.get(model, key))
    const names = yield* Effect.forEach(append.reserve, ({ kind, name }) => models.holder(kind, name))
    return [
      ...(events.some(({ requestId }) => requestId === append.requestId) ? ["event"] : []),
      ...(Option.isSome(reply) ? ["reply"] : []),
      ...(due.some((row) => row.key.id === key.id && row.sequence > append.after) ? ["effect"] : []),
      ...(rows.some(Option.isSome) ? ["row"] : []),
      ...(names.some((holder) => Option.contains(holder, key.id)) ? ["name"] : [])
    ]
  })

const everything = ["event", "reply", "effect", "row", "name"]

/** Writes to every table. */
const whole = (key: EntityKey, fields: Partial<Append> = {}): Append =>
  append({
    effects: [{ of: key.id }],
    reserve: [{ kind: "slug", name: `slug-${key.id}` }],
    rows: [{ model: "thing", key: key.id, parent: "all", row: { n: 1 } }],
    ...fields
  })

export const journalConformance = <E>(
  name: string,
  layer: Layer.Layer<Services, E>,
  crowdedLayer: Layer.Layer<Services, E>
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

    it.effect("INV-JRN-2 answers a second append under one request id with the first reply", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const key = entity()
        const first = { payloadHash: "h", reply: { answer: 42 } }
        yield* journal.append(key, append({ requestId: "twice", reply: first }))
        for (const after of [1, 0]) {
          const again = whole(key, { after, requestId: "twice" })
          const error = yield* Effect.flip(journal.append(key, again))
          assert.strictEqual(error._tag, "AlreadyAnswered")
          assert.deepInclude(error, { ...first, sequence: 1 })
        }
        assert.strictEqual((yield* journal.load(key)).events.length, 1)
        assert.isTrue(Option.isNone(yield* (yield* ReadModels).holder("slug", `slug-${key.id}`)))
      })
    )

    it.effect("INV-JRN-5 fences an append that would leave a gap", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const key = entity()
        const ahead = whole(key, { after: 1 })
        assert.strictEqual((yield* Effect.flip(journal.append(key, ahead)))._tag, "Fenced")
        assert.deepStrictEqual(yield* traces(key, ahead), [])
      })
    )

    it.effect("INV-JRN-9 lets a loser lose all of its own, and nobody else anything", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const [holder, fenced, answered] = [entity(), entity(), entity(), entity()]
        const wanted = { kind: "hostname", name: `host-${holder.id}` }
        yield* journal.append(holder, append({ reserve: [wanted] }))
        yield* journal.append(fenced, append())
        yield* journal.append(answered, append({ requestId: "twice" }))
        const late = entity()
        const losers: ReadonlyArray<readonly [EntityKey, Append, string]> = [
          [fenced, whole(fenced), "Fenced"],
          [answered, whole(answered, { after: 1, requestId: "twice" }), "AlreadyAnswered"],
          [late, whole(late, { reserve: [{ kind: "slug", name: `slug-${late.id}` }, wanted] }), "NameHeld"]
        ]
        const winners = Array.from({ length: 20 }, () => {
          const key = entity()
          return [key, whole(key), "written"] as const
        })
        const all = [...winners.slice(0, 7), ...losers, ...winners.slice(7)]
        const results = yield* together(all.map(([key, append]) => [key, append]))
        assert.deepStrictEqual(
          results.map(tagOf),
          all.map(([, , expected]) => expected)
        )
        for (const [key, append] of winners) {
          assert.deepStrictEqual(yield* traces(key, append), everything)
        }
        for (const [key, { requestId: _, ...append }] of losers) {
          assert.deepStrictEqual(yield* traces(key, { ...append, requestId: "another" }), [])
        }
      })
    )

    it.effect("INV-JRN-9 gives a name to exactly one of those who want it at once", () =>
      Effect.gen(function* () {
        const models = yield* ReadModels
        const wanted = { kind: "hostname", name: `host-${entity().id}` }
        const claims = Array.from({ length: 12 }, () => {
          const key = entity()
          return [key, whole(key, { reserve: [wanted] })] as const
        })
        const results = yield* together(claims)
        const won = claims.filter((_, index) => tagOf(results[index]!) === "written")
        assert.strictEqual(won.length, 1)
        assert.strictEqual(results.filter((result) => tagOf(result) === "NameHeld").length, 11)
        assert.deepStrictEqual(yield* models.holder(wanted.kind, wanted.name), Option.some(won[0]![0].id))
        for (const [key, append] of claims) {
          const left = (yield* traces(key, append)).length
          assert.strictEqual(left, key === won[0]![0] ? everything.length : 0)
        }
      })
    )

    it.effect("INV-JRN-9 hands a name over when its holder frees it beside the one who wants it", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const models = yield* ReadModels
        const [holder, next] = [entity(), entity()]
        const wanted = { kind: "hostname", name: `host-${holder.id}` }
        yield* journal.append(holder, append({ reserve: [wanted] }))
        const results = yield* together([
          [holder, append({ after: 1, release: [wanted] })],
          [next, append({ reserve: [wanted] })],
          [entity(), append()]
        ])
        assert.deepStrictEqual(results.map(tagOf), ["written", "written", "written"])
        assert.deepStrictEqual(yield* models.holder(wanted.kind, wanted.name), Option.some(next.id))
      })
    )

    it.effect("keeps a name that one append frees and wants, or wants again", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const models = yield* ReadModels
        const key = entity()
        const own = { kind: "hostname", name: `host-${key.id}` }
        yield* journal.append(key, append({ reserve: [own, own] }))
        yield* journal.append(key, append({ after: 1, release: [own], reserve: [own] }))
        yield* journal.append(key, append({ after: 2, reserve: [own] }))
        assert.deepStrictEqual(yield* models.holder(own.kind, own.name), Option.some(key.id))
      })
    )

    it.effect("INV-JRN-10 refuses what it cannot hold, and writes what came with it", () =>
      Effect.gen(function* () {
        const bad: ReadonlyArray<(key: EntityKey) => Append> = [
          (key) => whole(key, { events: [{ text: "a\u0000b" }] }),
          (key) => whole(key, { events: [{ text: "half \ud83d" }] }),
          (key) => whole(key, { actor: "nul \u0000" }),
          (key) => whole(key, { events: [{ n: 1n }] })
        ]
        const good = Array.from({ length: 8 }, (_, n) => {
          const key = entity()
          return [key, whole(key, { events: [{ text: `\\u0000 is text ${n}` }] })] as const
        })
        const malformed = bad.map((make) => {
          const key = entity()
          return [key, make(key)] as const
        })
        const results = yield* together([...good.slice(0, 4), ...malformed, ...good.slice(4)])
        assert.deepStrictEqual(results.map(tagOf), [
          ...good.slice(0, 4).map(() => "written"),
          ...malformed.map(() => "JournalRefused"),
          ...good.slice(4).map(() => "written")
        ])
        for (const [key, append] of good) assert.deepStrictEqual(yield* traces(key, append), everything)
        for (const [key, append] of malformed) assert.deepStrictEqual(yield* traces(key, append), [])
      })
    )

    it.effect("INV-JRN-9 lets many writers of few entities and names end without a gap or a loss", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const keys = Array.from({ length: 5 }, entity)
        const names = keys.map((key) => ({ kind: "slug", name: `contested-${key.id}` }))
        const writer = (n: number) =>
          Effect.gen(function* () {
            const key = keys[n % keys.length]!
            const name = names[(n * 7) % names.length]!
            for (let round = 0; round < 6; round++) {
              const { events } = yield* journal.load(key)
              const change = round % 2 === 0 ? { reserve: [name] } : { release: [name] }
              const own = append({ after: events.length, requestId: `${n}-${round}`, ...change })
              const result = yield* Effect.result(journal.append(key, own))
              const isWritten = Option.isSome(yield* journal.recall(key, own.requestId))
              assert.strictEqual(isWritten, tagOf(result) === "written")
              assert.include(["written", "Fenced", "NameHeld"], tagOf(result))
            }
          })
        yield* Effect.all(
          Array.from({ length: 40 }, (_, n) => writer(n)),
          { concurrency: "unbounded" }
        )
        for (const key of keys) {
          const { events } = yield* journal.load(key)
          assert.isAbove(events.length, 0)
          assert.deepStrictEqual(
            events.map(({ sequence }) => sequence),
            events.map((_, index) => index + 1)
          )
          assert.strictEqual(new Set(events.map(({ requestId }) => requestId)).size, events.length)
        }
      })
    )

    it.effect("INV-JRN-6 writes what was handed over although its caller goes away", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const key = entity()
        const caller = yield* Effect.forkChild(journal.append(key, append()), { startImmediately: true })
        yield* Fiber.interrupt(caller)
        assert.strictEqual((yield* journal.load(key)).events.length, 1)
      })
    )

    it.effect("loads many entities at once, each its own", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const keys = Array.from({ length: 30 }, entity)
        yield* Effect.forEach(keys, (key, n) => {
          const events = Array.from({ length: n % 4 }, (_, index) => ({ of: key.id, index }))
          return events.length === 0 ? Effect.void : journal.append(key, append({ events }))
        })
        yield* Effect.forEach(keys, (key, n) =>
          n % 3 === 0 && n % 4 > 1
            ? journal.saveSnapshot(key, { sequence: 1, state: { of: key.id }, atMs: 7 })
            : Effect.void
        )
        const asked = [...keys, keys[1]!, keys[1]!]
        const histories = yield* Effect.forEach(asked, journal.load, { concurrency: "unbounded" })
        histories.forEach(({ snapshot, events }, index) => {
          const n = index < keys.length ? index : 1
          const isSnapshot = n % 3 === 0 && n % 4 > 1
          const { id } = asked[index]!
          assert.deepStrictEqual(
            Option.getOrUndefined(snapshot),
            isSnapshot ? { sequence: 1, state: { of: id }, atMs: 7 } : undefined
          )
          const from = isSnapshot ? 1 : 0
          assert.deepStrictEqual(
            events.map(({ sequence, event }) => [sequence, event]),
            Array.from({ length: (n % 4) - from }, (_, i) => [i + from + 1, { of: id, index: i + from }])
          )
        })
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

    it.effect("INV-OUT-2 offers what an entity tells each app as a line of its own, also to operators", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const outbox = yield* Outbox
        const key = entity()
        const mine = Effect.map(outbox.due(1_000, 1000), (rows) =>
          rows
            .filter((row) => row.key.id === key.id)
            .sort((a, b) => a.sequence - b.sequence || a.position - b.position)
        )
        const tell = (appId: string, n: number) => ({ _tag: "TellObserved", appId, n })
        const other = { _tag: "RemoveDesired", appId: "p/e/s" }
        yield* journal.append(key, append({ effects: [tell("p/e/a", 1), tell("p/e/b", 1), other] }))
        yield* journal.append(key, append({ after: 1, effects: [tell("p/e/b", 2), { n: 3 }] }))
        const rows = yield* mine
        assert.deepStrictEqual(
          rows.map(({ line, effect }) => ({ line, effect })),
          [
            { line: "p/e/a", effect: tell("p/e/a", 1) },
            { line: "p/e/b", effect: tell("p/e/b", 1) },
            { line: "", effect: other }
          ]
        )
        assert.deepStrictEqual(
          rows.map(({ effect, line }) => [lineOf(effect), line]),
          rows.map(({ line }) => [line, line])
        )
        yield* outbox.postpone(rows[0]!, 5_000, "cannot be told")
        yield* outbox.done([rows[1]!])
        assert.deepStrictEqual(
          (yield* mine).map(({ line, sequence }) => ({ line, sequence })),
          [
            { line: "", sequence: 1 },
            { line: "p/e/b", sequence: 2 }
          ]
        )
        const [ofA, ofB] = [
          yield* outbox.backlog(10, { key, line: "p/e/a" }),
          yield* outbox.backlog(10, { key, line: "p/e/b" })
        ]
        assert.deepStrictEqual(
          [...ofA, ...ofB].map(({ attempts, problem }) => ({ attempts, problem })),
          [
            { attempts: 1, problem: "cannot be told" },
            { attempts: 0, problem: null }
          ]
        )
      })
    )

    it.effect("INV-OUT-6 lets shares take turns, and what has failed least go first", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const outbox = yield* Outbox
        const [many, few, cluster] = [entity(), entity(), entity()]
        const ids = [many.id, few.id, cluster.id]
        const place = Effect.map(outbox.due(10_000, 10_000), (rows) => {
          const seen = new Map<string, number>()
          return rows
            .filter((row) => ids.includes(shareOf(row)))
            .map((row) => {
              const n = (seen.get(shareOf(row)) ?? 0) + 1
              seen.set(shareOf(row), n)
              return { row, n }
            })
        })
        const app = (project: EntityKey, n: number) => ({ type: "Thing", id: `${project.id}/e/${n}` })
        for (let n = 0; n < 6; n++) yield* journal.append(app(many, n), append({ effects: [{ n }] }))
        for (let n = 0; n < 2; n++) yield* journal.append(app(few, n), append({ effects: [{ n }] }))
        // What is told to an app is of the app's share, whoever tells it.
        const told = { _tag: "TellObserved", appId: `${few.id}/e/9` }
        yield* journal.append(cluster, append({ effects: [told, { n: 1 }] }))
        const rows = yield* place
        assert.strictEqual(rows.length, 10)
        assert.deepStrictEqual(
          rows.map(({ n }) => n),
          rows.map(({ n }) => n).sort()
        )
        assert.strictEqual(shareOf(rows.at(-1)!.row), many.id)
        const first = rows.find(({ row }) => shareOf(row) === many.id)!.row
        yield* outbox.postpone(first, 5_000, "away")
        const last = (yield* place).at(-1)!.row
        assert.deepStrictEqual(last.key, first.key)
        assert.strictEqual(last.attempts, 1)
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
        const line = { key, line: "" }
        assert.deepStrictEqual(yield* outbox.backlog(10, line), [])
        yield* journal.append(key, append({ effects: [{ _tag: "First" }, { _tag: "Second" }] }))
        const mine = Effect.map(outbox.due(1_000, 1000), (rows) =>
          rows.filter((row) => row.key.id === key.id)
        )
        const [row] = yield* mine
        yield* outbox.postpone(row!, 5_000, "the other side is away")
        const waiting = {
          ...line,
          rows: 2,
          effect: "First",
          atMs: 1_700_000_000_123,
          attempts: 1,
          dueMs: 5_000,
          problem: "the other side is away"
        }
        assert.deepStrictEqual(yield* outbox.backlog(10, line), [waiting])
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
  it.layer(crowdedLayer, { timeout: 60_000, excludeTestServices: true })(`${name}, crowded`, (it) => {
    it.effect("INV-JRN-11 refuses what has no room, writes nothing of it, and takes it when there is", () =>
      Effect.gen(function* () {
        const journal = yield* Journal
        const all = Array.from({ length: 64 }, () => {
          const key = entity()
          return [key, whole(key)] as const
        })
        const results = yield* together(all)
        const tags = results.map(tagOf)
        assert.sameMembers([...new Set(tags)], ["written", "JournalOverloaded"])
        for (const [index, [key, append]] of all.entries()) {
          const left = yield* traces(key, append)
          assert.deepStrictEqual(left, tags[index] === "written" ? everything : [])
          if (tags[index] === "written") continue
          const result = results[index]!
          assert.deepInclude(Result.isFailure(result) ? result.failure : {}, { retryAfterSeconds: 3 })
          yield* journal.append(key, append)
          assert.deepStrictEqual(yield* traces(key, append), everything)
        }
      })
    )
  })
}
