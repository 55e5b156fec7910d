/** Counts and times what goes through the `Journal` port, whichever journal is behind it. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import { Journal } from "../journal/Journal.ts"
import { journalAppends, journalAppendsInHand, journalAppendSeconds, shownAs } from "./StarbaseMetrics.ts"

const outcomes: Readonly<Record<string, string>> = {
  AlreadyAnswered: "answered",
  Fenced: "fenced",
  JournalOverloaded: "overloaded",
  JournalRefused: "refused",
  NameHeld: "name_held",
  JournalUnavailable: "unavailable"
}

const outcomeOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): string => {
  if (exit._tag === "Success") return "ok"
  const error = Cause.findErrorOption(exit.cause)
  return Option.match(error, {
    onNone: () => "unavailable",
    onSome: ({ _tag }) => outcomes[_tag] ?? "other"
  })
}

/** A journal over the journal beneath it. */
export const layer: Layer.Layer<Journal, never, Journal> = Layer.effect(
  Journal,
  Effect.gen(function* () {
    const inner = yield* Journal
    let inHand = 0
    yield* shownAs(journalAppendsInHand, () => inHand)
    return Journal.of({
      ...inner,
      append: (key, rows) =>
        Effect.flatMap(Clock.currentTimeNanos, (start) => {
          inHand += 1
          return Effect.onExit(inner.append(key, rows), (exit) => {
            inHand -= 1
            return Effect.gen(function* () {
              const end = yield* Clock.currentTimeNanos
              yield* Metric.update(journalAppends({ outcome: outcomeOf(exit) }), 1)
              yield* Metric.update(journalAppendSeconds, Number(end - start) / 1e9)
            })
          })
        })
    })
  })
)
