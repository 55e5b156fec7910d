/** docs/shuttle-metrics.md against the metrics that there are. */
import { assert, it } from "@effect/vitest"
import * as ShuttleMetrics from "@starform/shuttle/health/ShuttleMetrics"
import { readFileSync } from "node:fs"

/** `| name | type | labels | meaning |`, names and labels in back-quotes. */
const row = /^\| `(\w+)` \| (\w+) \| ([^|]*) \| [^|]+ \|$/gm

const page = readFileSync(new URL("../../../../docs/shuttle-metrics.md", import.meta.url), "utf8")

const documented = [...page.matchAll(row)].map(
  ([, name, type, labels = ""]) => `${name} ${type} ${/`/.test(labels) ? "labelled" : "plain"}`
)

const exposed = Object.values(ShuttleMetrics).map((metric) => {
  const isLabelled = typeof metric === "function"
  const { id, type } = isLabelled ? metric("any") : metric
  return `${id} ${type.toLowerCase()} ${isLabelled ? "labelled" : "plain"}`
})

it("docs/shuttle-metrics.md has every metric with its type, and no other", () => {
  assert.deepStrictEqual(documented.toSorted(), exposed.toSorted())
})
