import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import { type DesiredApp, FullState } from "@starform/domain/desired/DesiredState"
import {
  appHashInput,
  canonicalJson,
  documentHashInput,
  entryHashInput
} from "@starform/domain/desired/DocumentHash"
import * as Fixture from "../Fixture.ts"

const state = Schema.decodeUnknownSync(FullState)(Fixture.read("FullState"))
const app: DesiredApp = state.apps[0]!

const shuffled = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shuffled)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, field]) => [key, shuffled(field)] as const)
      .reverse()
  )
}

describe("canonicalJson", () => {
  it("is JSON of the same value, and equal for equal values whatever the order of their keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain = JSON.parse(JSON.stringify(value))
        assert.deepStrictEqual(JSON.parse(canonicalJson(plain)), plain)
        assert.strictEqual(canonicalJson(shuffled(plain)), canonicalJson(plain))
      })
    )
  })
})

describe("appHashInput", () => {
  const first = app.variables[0]!

  it("says nothing of a variable's value, and changes with its version", () => {
    const withVariable = (fields: Partial<typeof first>) =>
      appHashInput({ ...app, variables: [{ ...first, ...fields }] })
    assert.strictEqual(withVariable({ value: "another" }), withVariable({}))
    assert.notStrictEqual(withVariable({ version: "another" }), withVariable({}))
    assert.notInclude(withVariable({}), first.value)
  })

  it("is as ever for an app that uses no later field, so that an older agent verifies it", () => {
    const text = appHashInput(app)
    for (const later of ["schedule", "var_groups", "databases", "autoscaling"]) assert.notInclude(text, later)
  })

  it("says nothing of a value in a shared group either, and is the same for an entry that is not understood", () => {
    const id = "0198c0de-0000-7000-8009-000000000001"
    const [entry] = (Fixture.read("FullState") as { readonly apps: ReadonlyArray<object> }).apps
    const sent = (value: string, version: string) => ({
      ...entry,
      var_groups: [{ id, version: 1, attach_order: 0, variables: [{ ...first, value, version }] }],
      later: [{ deep: { value: "hidden", version: "7" } }, { value: "shown" }]
    })
    assert.strictEqual(entryHashInput(sent("a", "1")), entryHashInput(sent("b", "1")))
    assert.notStrictEqual(entryHashInput(sent("a", "1")), entryHashInput(sent("a", "2")))
    assert.notInclude(entryHashInput(sent("a", "1")), "hidden")
    assert.include(entryHashInput(sent("a", "1")), "shown")
    assert.strictEqual(entryHashInput(entry), appHashInput(app))
  })

  it("changes with every field of an app", () => {
    const changes: Partial<DesiredApp> = {
      ordinal: app.ordinal + 1,
      image: state.apps[0]!.image.replace(/..$/, "00") as DesiredApp["image"],
      restartNonce: "again",
      healthPath: null,
      startupSeconds: 1,
      tier: "supernova",
      hostnames: [],
      processes: [],
      schedule: { expression: "@daily", timeZone: null, concurrency: "forbid" },
      varGroups: [],
      databases: [{ cidr: "10.1.2.3/32", port: 5432 }]
    }
    for (const [field, value] of Object.entries(changes)) {
      assert.notStrictEqual(appHashInput({ ...app, [field]: value }), appHashInput(app), field)
    }
  })
})

describe("documentHashInput", () => {
  const hashes = [
    ["b", "2"],
    ["a", "1"]
  ] as const

  it("does not depend on the order of apps", () => {
    const of = (apps: ReadonlyArray<readonly [string, string]>) =>
      documentHashInput(apps, state.tombstones, state.clusterConfig)
    assert.strictEqual(of(hashes), of([...hashes].reverse()))
  })

  it("changes with an app, a tombstone, its ordinal, and the cluster's settings", () => {
    const base = documentHashInput(hashes, state.tombstones, state.clusterConfig)
    const [tombstone] = state.tombstones
    const others = [
      documentHashInput([["a", "1"]], state.tombstones, state.clusterConfig),
      documentHashInput([...hashes.slice(1), ["b", "3"]], state.tombstones, state.clusterConfig),
      documentHashInput(hashes, [], state.clusterConfig),
      documentHashInput(hashes, [{ ...tombstone!, ordinal: 99 }], state.clusterConfig),
      documentHashInput(hashes, state.tombstones, { lbSizeUnits: 2 })
    ]
    assert.strictEqual(new Set([base, ...others]).size, others.length + 1)
  })
})
