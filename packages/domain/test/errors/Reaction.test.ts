import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as DeployErrors from "@starform/domain/errors/DeployErrors"
import { classOf, type Reaction, statusOf, type WireError } from "@starform/domain/errors/Reaction"
import * as RequestErrors from "@starform/domain/errors/RequestErrors"
import * as Fixture from "../Fixture.ts"

const errors = Object.entries({ ...DeployErrors, ...RequestErrors })

const example = (name: string, schema: Schema.Codec<WireError, unknown>): WireError =>
  Schema.decodeUnknownSync(schema)(Fixture.read(name))

const rejected: ReadonlyArray<Reaction> = [
  "correct",
  "authenticate",
  "askForAccess",
  "lookElsewhere",
  "readAgain",
  "shrink",
  "update"
]

describe("INV-DOM-3", () => {
  it.each(errors)("derives class and HTTP status of %s from its one reaction", (name, schema) => {
    const error = example(name, schema as Schema.Codec<WireError, unknown>)
    const annotations = Schema.resolveAnnotations(schema)
    assert.strictEqual(annotations?.["httpApiStatus"], statusOf(error.reaction))
    assert.oneOf(classOf(error.reaction), ["rejected", "transient", "terminal"])
  })

  it.each(errors)("has %s named as its class and its tag are", (name, schema) => {
    const error = example(name, schema as Schema.Codec<WireError, unknown>)
    assert.strictEqual("_tag" in error ? error._tag : undefined, name)
    assert.strictEqual(error.constructor.name, name)
  })

  it.each(errors)("tells a person and an operator of %s in one line each", (name, schema) => {
    const error = example(name, schema as Schema.Codec<WireError, unknown>)
    for (const text of [error.person, error.message]) {
      assert.isAbove(text.length, 0)
      assert.notInclude(text, "\n")
      assert.notInclude(text, "undefined")
    }
  })

  it.each(rejected)(
    "makes the reaction %s the caller's affair: rejected, with a status of 4xx",
    (reaction) => {
      assert.strictEqual(classOf(reaction), "rejected")
      assert.isTrue(statusOf(reaction) >= 400 && statusOf(reaction) < 500)
    }
  )

  it("asks to repeat only what is transient, and calls a human only for what is ours", () => {
    for (const reaction of ["slowDown", "repeat"] as const) assert.strictEqual(classOf(reaction), "transient")
    assert.deepStrictEqual([statusOf("slowDown"), statusOf("repeat")], [429, 503])
    assert.strictEqual(classOf("report"), "terminal")
    assert.strictEqual(statusOf("report"), 500)
  })
})
