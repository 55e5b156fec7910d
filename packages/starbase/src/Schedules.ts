/**
 * Every retry of Starbase, by name. Which errors are worth repeating follows from their class and is decided here alone:
 * what is transient may succeed later, what is rejected or terminal never will. Pauses vary by a fifth, so that callers
 * who lost the same runner do not come back as one.
 */
import { classOf, type Reaction } from "@starform/domain/errors/Reaction"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/** An error that says what its caller can do. */
export interface Classed {
  readonly reaction: Reaction
}

export const isTransient = (error: Classed): boolean => classOf(error.reaction) === "transient"

/** Doubling from `first` to `most`, for as long as it takes. */
const growing = (first: Duration.Input, most: Duration.Input) =>
  Schedule.min([Schedule.exponential(first), Schedule.spaced(most)]).pipe(Schedule.jittered)

/** Seconds that an `Overloaded` asks for; 0 for any other error. */
const askedPause = (error: unknown): Duration.Duration =>
  typeof error === "object" && error !== null && "retryAfterSeconds" in error
    ? Duration.seconds(Number(error.retryAfterSeconds))
    : Duration.zero

/** No sooner than whoever is overloaded has said. */
const heeding = Schedule.modifyDelay(({ input, duration }: Schedule.Metadata) =>
  Effect.succeed(Duration.max(duration, askedPause(input)))
)

/** A workflow that needs its App's answer: 50 ms doubling to 5 s, without end. */
export const entityAway = { schedule: heeding(growing("50 millis", "5 seconds")), while: isTransient }

/** A push in a person's terminal asks again under the same request id: three times, 300 ms apart. */
export const personWaits = { schedule: heeding(Schedule.spaced("300 millis")), while: isTransient, times: 3 }

/** A reader who only watches a deploy: every 2 s until the deploy is unknown. */
export const watcherWaits = {
  schedule: heeding(Schedule.spaced("2 seconds")),
  while: (error: Classed) => error.reaction !== "lookElsewhere"
}

/** A branch that another process moved meanwhile, or whose git was killed: three times, 100 ms apart. */
export const branchMoves = { schedule: Schedule.spaced("100 millis"), times: 3 }

/** A builder of ours that broke or forgot a build is asked again every 2 s; the build's own deadline ends that. */
export const builderAway = Schedule.spaced("2 seconds")

/** A build that must not go on: 100 ms doubling to 30 s, without end. */
export const buildToCancel = growing("100 millis", "30 seconds")

/** A store, or its notification channel, that went away. */
export const storeAway = Schedule.spaced("1 second")

/** A workflow that needs the message store: 50 ms doubling to 2 s, without end. */
export const messagesAway = {
  schedule: growing("50 millis", "2 seconds"),
  while: (error: { readonly _tag: string }) => error._tag === "PersistenceError"
}

/** A reply that the message store does not take: 50 ms doubling to 1.6 s, six times; the library repeats that four times. */
export const replyAway = { schedule: Schedule.exponential("50 millis"), while: messagesAway.while, times: 6 }

/** Milliseconds until an effect is performed again after its n-th failed attempt: 100 doubling to 60,000. Stored, so without variation. */
export const effectPauseMs = (attempts: number): number => Math.min(60_000, 100 * 2 ** Math.min(attempts, 12))

/** Whether a runner is there: two more pings, 250 ms apart. */
export const runnerPings = { schedule: Schedule.spaced("250 millis"), times: 2 }
