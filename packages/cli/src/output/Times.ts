/** Moments and durations as a person says them. Pure. */

const secondMs = 1000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** The largest unit that fits, rounded down: `42 s`, `3 min`, `5 h`, `12 d`. */
export const span = (ms: number): string => {
  const passed = Math.max(0, ms)
  if (passed < minuteMs) return `${Math.floor(passed / secondMs)} s`
  if (passed < hourMs) return `${Math.floor(passed / minuteMs)} min`
  if (passed < 2 * dayMs) return `${Math.floor(passed / hourMs)} h`
  return `${Math.floor(passed / dayMs)} d`
}

/** `3 min ago`; a clock that runs ahead of ours is `0 s ago`. */
export const ago = (atMs: number, nowMs: number): string => `${span(nowMs - atMs)} ago`

/** How long something took, to the tenth of a second. */
export const took = (ms: number): string => (ms < minuteMs ? `${(ms / secondMs).toFixed(1)} s` : span(ms))
