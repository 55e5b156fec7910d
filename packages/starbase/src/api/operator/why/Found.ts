/** One thing that was found about an app, in words for whoever asks. */
import type { Blame } from "@starform/domain/protocol/Explanation"

export interface Line {
  readonly line: string
  readonly next: string
}

/** A finding before it is known who asks. What a person hears nothing of has no `person`. */
export interface Found {
  readonly code: string
  readonly blame: Blame
  readonly holds: boolean
  readonly sinceMs: number | null
  readonly operator: Line
  readonly person: Line | null
}

/** Anything in a phase without a wait for the outside is over within this long, or something holds it. */
export const slowMs = 10_000
