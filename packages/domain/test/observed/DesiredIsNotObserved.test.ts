import { assert, describe, it } from "@effect/vitest"
import type { DesiredApp } from "@starform/domain/desired/DesiredState"
import { DesiredState } from "@starform/domain/desired/DesiredState"
import { ObservedApp } from "@starform/domain/observed/ObservedApp"
import { Result, Schema } from "effect"
import { read } from "../Fixture.ts"

/** Compiles only if each refusal below is one: an unused expectation is an error of its own. */
const refusals = (desired: DesiredApp, observed: ObservedApp) => {
  // @ts-expect-error INV-DOM-1: what must be is not what was seen
  const seen: ObservedApp = desired
  // @ts-expect-error INV-DOM-1: what was seen is not what must be
  const wanted: DesiredApp = observed
  return [seen, wanted]
}

describe("INV-DOM-1", () => {
  it("assigns neither type to the other", () => {
    assert.strictEqual(refusals.length, 2, "the compiler has checked its body")
  })

  it("reads no desired app as an observation, in its stored form either", () => {
    const state = Schema.decodeUnknownSync(DesiredState)(read("FullState"))
    assert.strictEqual(state.kind, "full")
    const apps = state.kind === "full" ? state.apps : []
    assert.isNotEmpty(apps)
    for (const app of apps) {
      assert.isTrue(Result.isFailure(Schema.decodeUnknownResult(ObservedApp)(app)))
    }
  })
})
