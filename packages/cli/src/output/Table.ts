/** Aligned columns. Pure. */
import { displayWidth } from "effect/cli/CliOutput"
import type { Paint } from "./Paint.ts"

const gap = "   "

/**
 * A heading and one line per row; columns as wide as their widest cell, the last one ragged. Cells may be painted.
 *
 * @param heading as many words as every row has cells
 */
export const table = (
  paint: Paint,
  heading: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>
): ReadonlyArray<string> => {
  const widths = heading.map((word, column) =>
    Math.max(displayWidth(word), ...rows.map((row) => displayWidth(row[column] ?? "")))
  )
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - displayWidth(cell)))
      .join(gap)
      .trimEnd()
  return [paint.dim(line(heading)), ...rows.map(line)]
}
