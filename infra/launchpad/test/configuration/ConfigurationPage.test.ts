import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { page } from "./ConfigurationPage.ts"

const file = join(import.meta.dirname, "../../../../docs/configuration.md")

describe("docs/configuration.md", () => {
  it("has every setting of Starbase and of Shuttle, as they are", () => {
    if (process.env["GOLDEN"] === "write") writeFileSync(file, page)
    assert.strictEqual(readFileSync(file, "utf8"), page)
  })

  it("says of each what it means", () => {
    const rows = page.split("\n").filter((line) => line.startsWith("| `"))
    assert.isAbove(rows.length, 50)
    for (const row of rows) assert.notMatch(row, /undefined|\|\s+\|/)
  })
})
