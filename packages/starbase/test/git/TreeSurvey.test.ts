import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as TreeSurvey from "@starform/starbase/git/TreeSurvey"

const id = "0".repeat(40)

/** As `git ls-tree -r -t -l -z` writes it, in pieces of a few bytes, and what was read of it. */
const survey = (lines: ReadonlyArray<string>, limits: TreeSurvey.TreeLimits) => {
  const bytes = Buffer.from(lines.map((line) => `${line}\0`).join(""))
  const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, n) =>
    Uint8Array.from(bytes.subarray(n * 7, n * 7 + 7))
  )
  return TreeSurvey.read(Stream.fromIterable(pieces), limits)
}

const file = (path: string, size: number) => `100644 blob ${id} ${String(size).padStart(7)}\t${path}`

describe("read", () => {
  it.effect("finds submodules wherever the listing is cut", () =>
    Effect.gen(function* () {
      const lines = [
        file("a\tb\nc", 3),
        `040000 tree ${id}       -\tvendor`,
        `160000 commit ${id}       -\tvendor/päckchen`
      ]
      assert.deepStrictEqual(yield* survey(lines, { entriesMax: 3, bytesMax: 3 }), {
        beyond: null,
        submodules: ["vendor/päckchen"]
      })
    })
  )

  it.effect("names the limit that a tree is beyond, and reads no further (INV-GIT-6)", () =>
    Effect.gen(function* () {
      const files = [file("a", 600), file("b", 600)]
      const limits = { entriesMax: 2, bytesMax: 1200 }
      assert.strictEqual((yield* survey(files, limits)).beyond, null)
      assert.strictEqual((yield* survey(files, { ...limits, bytesMax: 1199 })).beyond, "bytesMax")
      assert.strictEqual((yield* survey(files, { ...limits, entriesMax: 1 })).beyond, "entriesMax")
      const long = file("deep/".repeat(400), 0)
      assert.strictEqual((yield* survey([long], limits)).beyond, "entriesMax")
      const endless = Stream.forever(Stream.succeed(new TextEncoder().encode(`${file("a", 1)}\0`)))
      assert.strictEqual((yield* TreeSurvey.read(endless, limits)).beyond, "entriesMax")
    })
  )
})
