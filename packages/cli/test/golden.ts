import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"

/** Text of a file that a person has reviewed; `GOLDEN=write` writes what is there now. */
export const golden = (file: URL, text: string): string => {
  if (process.env["GOLDEN"] === "write") {
    mkdirSync(dirname(file.pathname), { recursive: true })
    writeFileSync(file, text)
  }
  return existsSync(file) ? readFileSync(file, "utf8") : "missing: run with GOLDEN=write and review it"
}
