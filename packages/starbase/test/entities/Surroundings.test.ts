import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, References, Tracer } from "effect"
import { Entity, ShardingConfig } from "effect/cluster"
import * as AppBehavior from "@starform/starbase/entities/app/AppBehavior"
import { AppEntity } from "@starform/starbase/entities/app/AppEntity"
import { asking, lean } from "@starform/starbase/entities/Surroundings"
import { Journal } from "@starform/starbase/journal/Journal"
import * as JournalMemory from "@starform/starbase/journal/JournalMemory"
import * as Specimens from "./Specimens.ts"

/** As a transaction that a caller is in. */
class AtHand extends Context.Service<AtHand, string>()("@starform/starbase/test/AtHand") {}

class Seen extends Context.Service<Seen, Context.Context<never>>()("test/Seen") {}

const look = Effect.context<never>()

describe("INV-ENT-2 Surroundings", () => {
  it.effect("of an ask are the process's own, and the caller's span and annotations", () =>
    Effect.gen(function* () {
      const ask = yield* asking
      const surroundings = yield* ask(look).pipe(
        Effect.annotateLogs("deploy", "d1"),
        Effect.withSpan("push"),
        Effect.provideService(References.MinimumLogLevel, "Fatal"),
        Effect.provideService(AtHand, "a transaction")
      )
      assert.isUndefined(Context.getOrUndefined(surroundings, AtHand))
      assert.strictEqual(Context.getOrUndefined(surroundings, Tracer.ParentSpan)?._tag, "Span")
      assert.deepStrictEqual(Context.get(surroundings, References.CurrentLogAnnotations), { deploy: "d1" })
      assert.notStrictEqual(Context.get(surroundings, References.MinimumLogLevel), "Fatal")
    })
  )

  it.effect("of entities are their journal and references", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(lean(Layer.effect(Seen, look))).pipe(
        Effect.provideService(References.MinimumLogLevel, "Fatal"),
        Effect.provideService(AtHand, "everything else"),
        Effect.provide(JournalMemory.layer)
      )
      const surroundings = Context.get(context, Seen)
      assert.isUndefined(Context.getOrUndefined(surroundings, AtHand))
      assert.isDefined(Context.getOrUndefined(surroundings, Journal))
      assert.strictEqual(Context.get(surroundings, References.MinimumLogLevel), "Fatal")
    }).pipe(Effect.scoped)
  )
})

describe("INV-ENT-1 Handlers", () => {
  it.effect("of two entities, asked by turns, know each their own", () =>
    Effect.gen(function* () {
      const runner = yield* Entity.makeTestClient(AppEntity, AppBehavior.layerNoDeps)
      const identities = [Specimens.identity(1), Specimens.identity(2)]
      const apps = yield* Effect.forEach(identities, ({ appId }) => runner(appId))
      yield* Effect.forEach(apps, (app, n) =>
        app.CreateApp({ ...Specimens.request("create"), identity: identities[n]! })
      )
      const states = yield* Effect.forEach(apps, (app) => app.GetApp())
      assert.deepStrictEqual(
        states.map(({ identity }) => identity),
        identities
      )
    }).pipe(Effect.scoped, Effect.provide([JournalMemory.layer, ShardingConfig.layer()]))
  )
})
