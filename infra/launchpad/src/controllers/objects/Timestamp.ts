/** Times in Kubernetes objects. */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"

/** Kubernetes' `Time`: RFC 3339, UTC, whole seconds. */
export const toTimestamp = (millis: number): string =>
  `${DateTime.formatIso(DateTime.makeUnsafe(millis)).slice(0, 19)}Z`

/** Milliseconds since the epoch; a text that is no time counts as the epoch itself. */
export const fromTimestamp = (text: string | undefined): number =>
  text === undefined
    ? 0
    : Option.match(DateTime.make(text), { onNone: () => 0, onSome: (time) => DateTime.toEpochMillis(time) })
