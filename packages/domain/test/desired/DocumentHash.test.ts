import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as fc from "fast-check"
import { type DesiredApp, FullState } from "@starform/domain/desired/DesiredState"
import { appHashInput, canonicalJson, documentHashInput } from "@starform/domain/desired/DocumentHash"
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

  it("changes with every field of an app", () => {
    const changes: Partial<DesiredApp> = {
      ordinal: app.ordinal + 1,
      image: state.apps[0]!.image.replace(/..$/, "00") as DesiredApp["image"],
      restartNonce: "again",
      healthPath: null,
      startupSeconds: 1,
      tier: "supernova",
      hostnames: [],
      processes: []
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
