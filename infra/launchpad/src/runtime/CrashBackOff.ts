/** How long a container waits before it is started again (pure): at once, then the first delay, doubled up to the maximum. */
import * as Duration from "effect/Duration"

export interface CrashBackOffSettings {
  readonly crashBackOffFirst: Duration.Duration
  readonly crashBackOffMax: Duration.Duration
  readonly crashBackOffReset: Duration.Duration
}

/** `crashes`: how many runs in a row ended before this decision, each shorter than the reset time. */
export const crashDelay = (settings: CrashBackOffSettings, crashes: number): Duration.Duration =>
  crashes <= 1
    ? Duration.zero
    : Duration.min(
        Duration.times(settings.crashBackOffFirst, 2 ** Math.min(crashes - 2, 20)),
        settings.crashBackOffMax
      )

/** Crashes in a row after a run of this length. */
export const countCrash = (settings: CrashBackOffSettings, before: number, ranMs: number): number =>
  ranMs >= Duration.toMillis(settings.crashBackOffReset) ? 1 : before + 1
