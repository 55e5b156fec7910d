/** The room that output has in a report: what one tenant's apps print must not keep the report of all from being taken. Pure. */
import type { ObservedApp } from "@starform/domain/observed/ObservedApp"
import { reportBytesMax } from "@starform/domain/protocol/AgentApi"

/** Of all apps in one report, as JSON. The rest of the report is for what was observed. */
export const outputBytesMax = reportBytesMax / 4

const encoder = new TextEncoder()

const bytesOf = (lines: ReadonlyArray<string>): number => encoder.encode(JSON.stringify(lines)).length

/** The last lines that fit. */
const fitting = (lines: ReadonlyArray<string>, bytesMax: number): ReadonlyArray<string> => {
  let kept = lines
  while (kept.length > 0 && bytesOf(kept) > bytesMax) kept = kept.slice(1)
  return kept
}

/** Output beyond an app's part of the room is left out, its oldest lines first; what fits whole is left alone (INV-REP-6). */
export const withRoom = (apps: ReadonlyArray<ObservedApp>): ReadonlyArray<ObservedApp> => {
  const printing = apps.filter(({ output }) => output.length > 0)
  const bytes = printing.reduce((sum, { output }) => sum + bytesOf(output), 0)
  if (bytes <= outputBytesMax) return apps
  const part = outputBytesMax / printing.length
  return apps.map((app) => ({ ...app, output: fitting(app.output, part) }))
}
