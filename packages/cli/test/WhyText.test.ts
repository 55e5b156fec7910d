import { assert, describe, it } from "@effect/vitest"
import * as AppId from "@starform/domain/ids/AppId"
import type { Explanation } from "@starform/domain/protocol/Explanation"
import { plain } from "@starform/cli/output/Paint"
import { whyLines } from "@starform/cli/output/WhyText"

const atMs = 1_700_000_000_000

const explanation: Explanation = {
  appId: AppId.AppId.make(
    "0198c0de-0000-7000-8000-000000000001/production/0198c0de-0000-7000-8000-000000000002"
  ),
  atMs,
  verdict: "stuck",
  headline: "The newest deploy is building for 2 min, and something holds it.",
  journey: [
    { step: "accepted", state: "done", atMs: atMs - 125_000, note: "push" },
    { step: "building", state: "now", atMs: atMs - 120_000, note: "builder: away" },
    { step: "built", state: "ahead", atMs: null, note: "" }
  ],
  findings: [
    {
      code: "BuilderAway",
      blame: "builder",
      holds: true,
      line: "The builder does not answer.",
      next: "Nothing is lost.",
      sinceMs: atMs
    }
  ]
}

describe("whyLines", () => {
  it("shows how far a deploy came and what holds it", () => {
    assert.deepStrictEqual(whyLines(plain, "api", explanation), [
      "● api: The newest deploy is building for 2 min, and something holds it.",
      "",
      "  ✓ accepted  2 min ago, push",
      "  ● building  2 min ago, builder: away",
      "  · built",
      "",
      "  ✗ The builder does not answer. (BuilderAway)",
      "    Next  Nothing is lost."
    ])
  })

  it("says one line of an app that is live", () => {
    const live = { ...explanation, verdict: "live", headline: "Release 3 is live.", findings: [] } as const
    assert.deepStrictEqual(whyLines(plain, "api", live), ["● api: Release 3 is live."])
  })
})
