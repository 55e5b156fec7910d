import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Result } from "effect"
import { Entity, ShardingConfig } from "effect/cluster"
import { WorkspaceId } from "@starform/domain/ids/Ids"
import { Slug } from "@starform/domain/ids/Slug"
import * as TenantBehavior from "@starform/starbase/entities/tenant/TenantBehavior"
import { TenantEntity } from "@starform/starbase/entities/tenant/TenantEntity"
import { Journal } from "@starform/starbase/journal/Journal"
import { ReadModels } from "@starform/starbase/journal/ReadModels"
import { layerJournal } from "../../Postgres.ts"
import * as Specimens from "../Specimens.ts"

const token = { id: "first", hash: "a".repeat(64), canWrite: true }

const services = Layer.merge(layerJournal, ShardingConfig.layer())

it.layer(services, { timeout: 60_000, excludeTestServices: true })("TenantEntity on PostgreSQL", (it) => {
  it.effect("gives a slug to exactly one of many workspaces that ask for it at once", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const models = yield* ReadModels
      const client = yield* Entity.makeTestClient(TenantEntity, TenantBehavior.layerNoDeps)
      const slug = Slug.make(`acme-${randomUUID().slice(0, 8)}`)
      const ids = Array.from({ length: 8 }, () => WorkspaceId.make(randomUUID()))
      const results = yield* Effect.forEach(
        ids,
        (id) =>
          Effect.gen(function* () {
            const tenant = yield* client(id)
            const workspace = { id, slug, displayName: "Acme" }
            return yield* tenant.CreateWorkspace({ ...Specimens.request("create"), workspace, token })
          }).pipe(Effect.result),
        { concurrency: "unbounded" }
      )
      const winners = results.flatMap((result) => (Result.isSuccess(result) ? [result.success.id] : []))
      assert.strictEqual(winners.length, 1)
      assert.deepStrictEqual(yield* models.holder("workspace", slug), Option.some<string>(winners[0]!))
      for (const result of results) {
        if (Result.isFailure(result)) assert.deepInclude(result.failure, { _tag: "NameTaken", name: slug })
      }
      const histories = yield* Effect.forEach(ids, (id) => journal.read({ type: "Tenant", id }, 0, 10))
      assert.strictEqual(histories.filter((events) => events.length > 0).length, 1)
    }).pipe(Effect.scoped)
  )
})
