/**
 * `npm test`: the gates, then every test that needs nothing else on the machine. Arguments go to vitest.
 * The last line is `N passed, N failed, N skipped`; a failed gate, a test file that cannot run and an error outside
 * any test each count as one failure.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bootstrap, interrupted, runToEnd } from "./bootstrap.mjs"
import { runChecks } from "./check.mjs"

/** Totals of a vitest JSON report; undefined when there is none that can be read. */
const readReport = (file) => {
  try {
    const report = JSON.parse(readFileSync(file, "utf8"))
    const files = report.testResults.filter(
      (result) =>
        result.status === "failed" && !result.assertionResults.some((test) => test.status === "failed")
    )
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + files.length,
      skipped: report.numPendingTests + report.numTodoTests
    }
  } catch {
    return undefined
  }
}

const runTests = async (args) => {
  const folder = mkdtempSync(join(tmpdir(), "starform-test-report-"))
  const file = join(folder, "report.json")
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`]
  const status = await runToEnd("vitest", ["run", ...reporters, ...args])
  const totals = readReport(file) ?? { passed: 0, failed: 0, skipped: 0 }
  rmSync(folder, { recursive: true, force: true })
  if (interrupted() !== undefined) process.exit(interrupted())
  if (status !== 0 && totals.failed === 0) totals.failed = 1
  return totals
}

await bootstrap(fileURLToPath(import.meta.url))
const failedGates = await runChecks()
const { passed, failed, skipped } = await runTests(process.argv.slice(2))
if (failedGates.length > 0) process.stdout.write(`Failed gates: ${failedGates.join(", ")}\n`)
const failures = failed + failedGates.length
process.stdout.write(`${passed} passed, ${failures} failed, ${skipped} skipped\n`)
process.exitCode = failures === 0 ? 0 : 1
