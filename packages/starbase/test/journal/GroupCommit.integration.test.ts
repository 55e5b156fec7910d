/** What groups of appends are on a real server: one transaction, also between two processes, and when its end is lost. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Option, Redacted, Result } from "effect"
import { type Append, type EntityKey, Journal } from "@starform/starbase/journal/Journal"
import * as JournalPostgres from "@starform/starbase/journal/JournalPostgres"
import * as JournalSchema from "@starform/starbase/journal/JournalSchema"
import { defaults, type JournalSettings } from "@starform/starbase/journal/JournalSettings"
import * as FaultWire from "../cluster/FaultWire.ts"
import { cutWire } from "../entities/CutWire.ts"
import { freshDatabase } from "../Postgres.ts"
import { append, entity } from "./Appends.ts"

/** A journal of a process of its own. */
const journalAt = (url: Redacted.Redacted<string>, settings: JournalSettings = defaults) =>
  Effect.map(
    Layer.build(
      Layer.fresh(JournalPostgres.layerWith(settings)).pipe(
        Layer.provideMerge(PgClient.layer({ url, maxConnections: 4 }))
      )
    ),
    (context) => ({ journal: Context.get(context, Journal), sql: Context.get(context, PgClient.PgClient) })
  )

const database = Effect.gen(function* () {
  const url = yield* freshDatabase
  yield* Layer.build(JournalSchema.layer.pipe(Layer.provide(PgClient.layer({ url, maxConnections: 1 }))))
  return url
})

const tagsOf = Effect.fnUntraced(function* (
  journal: Journal["Service"],
  appends: ReadonlyArray<readonly [EntityKey, Append]>
) {
  const results = yield* Effect.forEach(appends, ([key, one]) => Effect.result(journal.append(key, one)), {
    concurrency: "unbounded"
  })
  return results.map((result) => (Result.isFailure(result) ? result.failure._tag : "written"))
})

it.live("INV-JRN-9 appends that arrive together share a transaction", () =>
  Effect.gen(function* () {
    const { journal, sql } = yield* journalAt(yield* database)
    const all = Array.from({ length: 60 }, () => [entity(), append()] as const)
    assert.deepStrictEqual(new Set(yield* tagsOf(journal, all)), new Set(["written"]))
    const rows = yield* sql<{ readonly transactions: number }>`
      SELECT count(DISTINCT xmin::text)::integer AS transactions FROM journal`
    assert.isBelow(rows[0]?.transactions ?? 60, 10)
  }).pipe(Effect.scoped)
)

it.live("INV-JRN-4 a group whose COMMIT was lost is unknown for every member, and a repeat settles it", () =>
  Effect.gen(function* () {
    const url = yield* database
    const wire = yield* cutWire(new URL(Redacted.value(url)))
    const through = new URL(Redacted.value(url))
    through.hostname = "127.0.0.1"
    through.port = String(wire.port)
    const { journal } = yield* journalAt(Redacted.make(through.href))
    const all = Array.from({ length: 20 }, () => [entity(), append()] as const)
    yield* wire.cutAround(all[7]![0].id, "after the commit")
    const tags = yield* tagsOf(journal, all)
    assert.strictEqual(yield* wire.cuts, 1)
    assert.sameMembers([...new Set(tags)], ["JournalUnavailable"])
    const again = yield* tagsOf(journal, all)
    assert.sameMembers([...new Set(again)], ["AlreadyAnswered"])
  }).pipe(Effect.scoped)
)

it.live(
  "INV-JRN-11 a silent connection holds no group beyond its deadline, and a repeat settles what it held",
  () =>
    Effect.gen(function* () {
      const url = yield* database
      const wire = yield* FaultWire.make(Number(new URL(Redacted.value(url)).port))
      const through = new URL(Redacted.value(url))
      through.port = String(wire.port)
      const bounds = { ...defaults.appends, deadline: Duration.millis(300) }
      const settings = {
        ...defaults,
        appends: bounds,
        loads: { ...defaults.loads, deadline: bounds.deadline }
      }
      const { journal } = yield* journalAt(Redacted.make(through.href), settings)
      const one = [entity(), append()] as const
      assert.deepStrictEqual(yield* tagsOf(journal, [one]), ["written"])
      yield* wire.stall()
      // More groups than there are places for, one after the other.
      const all = Array.from({ length: 6 }, () => [entity(), append()] as const)
      for (const late of all) assert.deepStrictEqual(yield* tagsOf(journal, [late]), ["JournalUnavailable"])
      assert.strictEqual((yield* Effect.flip(journal.load(one[0])))._tag, "JournalUnavailable")
      yield* wire.mend
      for (const late of all) {
        const settled = yield* Effect.repeat(tagsOf(journal, [late]), {
          until: ([tag]) => tag !== "JournalUnavailable",
          times: 50
        })
        assert.include(["written", "AlreadyAnswered"], settled[0])
        assert.strictEqual((yield* journal.load(late[0])).events.length, 1)
      }
    }).pipe(Effect.scoped)
)

it.live(
  "INV-JRN-9 groups of two processes that want the same entities and names all end, each with one winner",
  () =>
    Effect.gen(function* () {
      const url = yield* database
      const [first, second] = [yield* journalAt(url), yield* journalAt(url)]
      for (let round = 0; round < 15; round++) {
        const keys = Array.from({ length: 24 }, entity)
        const contested = keys.slice(0, 8).map(({ id }) => ({ kind: "slug", name: `slug-${id}` }))
        const claims = (order: ReadonlyArray<EntityKey>) =>
          order.map((key, index) => {
            const name = contested[index]
            return [key, append(name === undefined ? {} : { reserve: [name] })] as const
          })
        const [one, other] = [claims(keys), claims(keys.toReversed())]
        const [a, b] = yield* Effect.all([tagsOf(first.journal, one), tagsOf(second.journal, other)], {
          concurrency: "unbounded"
        })
        for (const [tags, asked] of [
          [a, one],
          [b, other]
        ] as const) {
          for (const [index, [key, { requestId }]] of asked.entries()) {
            const isKept = Option.isSome(yield* first.journal.recall(key, requestId))
            assert.strictEqual(isKept, tags[index] === "written")
            assert.include(["written", "Fenced", "NameHeld"], tags[index])
          }
        }
        for (const key of keys) assert.isAtMost((yield* first.journal.load(key)).events.length, 1)
        for (const { kind, name } of contested) {
          const held = yield* first.sql`SELECT 1 FROM names WHERE kind = ${kind} AND name = ${name}`
          assert.strictEqual(held.length, 1)
        }
      }
    }).pipe(Effect.scoped)
)
