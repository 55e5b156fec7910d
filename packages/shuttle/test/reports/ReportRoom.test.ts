import { assert, describe, it } from "@effect/vitest"
import { AppId } from "@starform/domain/ids/AppId"
import type { ObservedApp } from "@starform/domain/observed/ObservedApp"
import { reportBytesMax } from "@starform/domain/protocol/AgentApi"
import { outputBytesMax, withRoom } from "@starform/shuttle/reports/ReportRoom"

const app = (n: number, output: ReadonlyArray<string>): ObservedApp => ({
  appId: AppId.make(
    `0198c0de-0000-7000-8004-00000000000${n}/production/0198c0de-0000-7000-8005-00000000000${n}`
  ),
  deployId: null,
  releaseId: null,
  ordinal: n,
  phase: "failed",
  processes: [],
  reason: null,
  output
})

/** As much as a failing pod may print, in characters that JSON writes with six. */
const loud = Array.from({ length: 20 }, (_, n) => `${n}${"\u0001".repeat(2_000)}`)

describe("withRoom", () => {
  it("INV-REP-6 leaves a report as it is that fits", () => {
    const apps = [app(1, loud), app(2, ["npm error"]), app(3, [])]
    assert.strictEqual(withRoom(apps), apps)
  })

  it("INV-REP-6 gives each app a part of the room, its last lines, and keeps every observation", () => {
    const apps = [
      app(1, ["npm error", "exit 1"]),
      ...Array.from({ length: 40 }, () => app(2, loud)),
      app(3, [])
    ]
    assert.isAbove(JSON.stringify(apps).length, reportBytesMax)
    const told = withRoom(apps)
    assert.strictEqual(told.length, apps.length)
    assert.isAtMost(JSON.stringify(told).length, reportBytesMax / 2)
    assert.deepStrictEqual(told[0], apps[0])
    assert.deepStrictEqual(told.at(-1), apps.at(-1))
    for (const { output } of told.slice(1, -1)) {
      assert.strictEqual(output.at(-1), loud.at(-1))
      assert.isAtMost(JSON.stringify(output).length, outputBytesMax / 41)
    }
  })
})
