/** Golden fixtures of what Starbase stores: JSON that was written once and must be readable, and written the same. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { AppEvent } from "@starform/starbase/entities/app/AppState"
import { ClusterEvent } from "@starform/starbase/entities/cluster/ClusterState"
import { TenantEvent } from "@starform/starbase/entities/tenant/TenantState"
import { OutboxEffect } from "@starform/starbase/outbox/OutboxEffect"
import { BuildOutcome, BuildRelease } from "@starform/starbase/workflows/BuildRelease"
import { DeployRelease } from "@starform/starbase/workflows/DeployRelease"

const folder = new URL("fixtures/", import.meta.url)

const read = (name: string): ReadonlyArray<unknown> => {
  const file = new URL(`${name}/v1.json`, folder)
  assert.isTrue(existsSync(file), `no fixture test/fixtures/${name}/v1.json`)
  const json: unknown = JSON.parse(readFileSync(file, "utf8"))
  return Array.isArray(json) ? json : []
}

const tagOf = (value: unknown) =>
  typeof value === "object" && value !== null && "_tag" in value ? String(value._tag) : ""

/** What is stored, by the name of its fixture: its schema, and the tags that the fixture must have. */
const stored = {
  App: { schema: AppEvent, tags: Object.keys(AppEvent.cases) },
  Cluster: { schema: ClusterEvent, tags: Object.keys(ClusterEvent.cases) },
  Tenant: { schema: TenantEvent, tags: Object.keys(TenantEvent.cases) },
  OutboxEffect: { schema: OutboxEffect, tags: Object.keys(OutboxEffect.cases) },
  BuildOutcome: { schema: BuildOutcome, tags: Object.keys(BuildOutcome.cases) },
  DeployRelease: { schema: DeployRelease.payloadSchema, tags: [] },
  BuildRelease: { schema: BuildRelease.payloadSchema, tags: [] }
}

describe("stored fixtures", () => {
  it.each(Object.entries(stored))(
    "of %s are read and written as ever, every type of it",
    (name, { schema, tags }) => {
      const codec = schema as Schema.Codec<unknown, unknown>
      const values = read(name)
      assert.isAbove(values.length, 0)
      for (const value of values) {
        const decoded = Schema.decodeUnknownSync(codec, { onExcessProperty: "error" })(value)
        assert.deepStrictEqual(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(decoded))), value)
      }
      const present = new Set(values.map(tagOf))
      assert.deepStrictEqual(
        tags.filter((tag) => !present.has(tag)),
        []
      )
    }
  )

  it("are of nothing else", () => {
    assert.sameMembers(readdirSync(folder), Object.keys(stored))
  })
})
