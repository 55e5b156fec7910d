import * as Duration from "effect/Duration"

export const durationPattern = /^[0-9]{1,9}(ms|s|m|h)$/

const unitMillis: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Of text that fits `durationPattern`. */
export const durationOf = (text: string): Duration.Duration =>
  Duration.millis(Number.parseInt(text, 10) * (unitMillis[text.replace(/^[0-9]+/, "")] ?? 1))
