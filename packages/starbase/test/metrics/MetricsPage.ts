/** docs/metrics.md as data: the rows of its tables that name a metric. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export interface DocumentedMetric {
  readonly name: string
  readonly type: string
  readonly labels: ReadonlyArray<string>
}

const page = fileURLToPath(new URL("../../../../docs/metrics.md", import.meta.url))

/** `| name | type | labels | meaning |`, names and labels in back-quotes. */
const row = /^\| `(\w+)` \| (\w+) \| ([^|]*) \| [^|]+ \|$/gm

export const read = (): ReadonlyArray<DocumentedMetric> =>
  [...readFileSync(page, "utf8").matchAll(row)].map(([, name = "", type = "", labels = ""]) => ({
    name,
    type,
    labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = ""]) => label)
  }))
