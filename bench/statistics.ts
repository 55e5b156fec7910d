/** Order statistics of small samples, and how they are printed. */

/** Nearest rank; `NaN` for no values. */
export const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

export interface Summary {
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly max: number
}

export const summary = (values: ReadonlyArray<number>): Summary => ({
  count: values.length,
  p50: Math.round(percentile(values, 0.5)),
  p95: Math.round(percentile(values, 0.95)),
  max: Math.round(Math.max(...values))
})

/** Rows of equal shape as an aligned table; numbers to the right. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string | number>>): string => {
  const texts = rows.map((row) => row.map(String))
  const widths = texts[0]!.map((_, column) => Math.max(...texts.map((row) => (row[column] ?? "").length)))
  return texts
    .map((row, index) =>
      row
        .map((text, column) =>
          column === 0 || index === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
        )
        .join("   ")
        .trimEnd()
    )
    .join("\n")
}
