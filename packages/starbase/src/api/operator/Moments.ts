/** Which past state is asked for. */
import { InvalidInput } from "@starform/domain/errors/RequestErrors"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Moment } from "../../entities/EntityModels.ts"

/** @errors InvalidInput for both at once */
export const momentOf = (
  sequence: number | null,
  atMs: number | null
): Effect.Effect<Moment, InvalidInput> => {
  if (sequence !== null && atMs !== null) {
    return Effect.fail(new InvalidInput({ field: "at", problem: "not together with sequence" }))
  }
  if (sequence !== null) return Effect.succeed({ sequence })
  return Effect.succeed(atMs === null ? null : { atMs })
}

const milliseconds = /^\d{1,15}$/

/** ISO 8601 with a zone, so that nobody's own zone decides. */
const zoned = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/

/** Milliseconds since the epoch, or ISO 8601 with a zone. */
export const timeOf = (text: string): Option.Option<number> => {
  if (milliseconds.test(text)) return Option.some(Number(text))
  return zoned.test(text) ? Option.map(DateTime.make(text), DateTime.toEpochMillis) : Option.none()
}
