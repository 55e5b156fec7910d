/** Appends of many entities in one transaction, never with one fate (INV-JRN-9, INV-JRN-10). */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import type { SqlError } from "effect/sql/SqlError"
import { journalGroupMembers } from "../../metrics/StarbaseMetrics.ts"
import * as Gathering from "../Gathering.ts"
import * as Journal from "../Journal.ts"
import type { JournalSettings } from "../JournalSettings.ts"
import { type Entry, entryOf, type Loser, parametersOf, statement } from "./AppendStatement.ts"
import { sqlFailure } from "./SqlFailure.ts"

type Outcome = Exit.Exit<void, Journal.AppendError>

/** A statement that another transaction overtook sees it at the next attempt; more than one retry is rare. */
const attemptsMax = 4

const unavailable = (cause: unknown) => new Journal.JournalUnavailable({ operation: "append", cause })

const lossOf = ({ key }: Entry, loser: Loser): Journal.AppendError => {
  if (loser.knownHash !== null) {
    return new Journal.AlreadyAnswered({
      payloadHash: loser.knownHash,
      reply: loser.knownReply,
      sequence: loser.knownSequence ?? 0
    })
  }
  return loser.isStale || loser.heldKind === null || loser.heldName === null
    ? new Journal.Fenced(key)
    : new Journal.NameHeld({ kind: loser.heldKind, name: loser.heldName })
}

const makeCommit = (sql: PgClient.PgClient) => {
  const write = (group: ReadonlyArray<Entry>, attempt = 1): Effect.Effect<ReadonlyArray<Outcome>, SqlError> =>
    sql.unsafe<Loser>(statement, parametersOf(group)).pipe(
      Effect.map((losers) => {
        const outcomes: Array<Outcome> = group.map(() => Exit.void)
        for (const loser of losers) {
          const entry = group[loser.member - 1]
          if (entry !== undefined) outcomes[loser.member - 1] = Exit.fail(lossOf(entry, loser))
        }
        return outcomes
      }),
      Effect.catchIf(
        (error) => attempt < attemptsMax && sqlFailure(error) === "raced",
        () => write(group, attempt + 1)
      )
    )

  const alone = (entry: Entry): Effect.Effect<Outcome> =>
    write([entry]).pipe(
      Effect.map(([outcome]) => outcome ?? Exit.void),
      Effect.catch((error) =>
        Effect.succeed(
          Exit.fail(
            sqlFailure(error) === "refused"
              ? new Journal.JournalRefused({ ...entry.key, cause: error })
              : unavailable(error)
          )
        )
      )
    )

  /** A group that the server refuses is written one by one: one of it is to blame, nobody else pays. */
  return (group: ReadonlyArray<Entry>): Effect.Effect<ReadonlyArray<Outcome>> => {
    const [first] = group
    if (first !== undefined && group.length === 1) return Effect.map(alone(first), (outcome) => [outcome])
    return write(group).pipe(
      Effect.catch((error) =>
        sqlFailure(error) === "lost"
          ? Effect.succeed(group.map((): Outcome => Exit.fail(unavailable(error))))
          : Effect.forEach(group, alone)
      )
    )
  }
}

/** What two appends of one group must not have in common: the entity, and names that change hands. */
const claimsOf = ({ key, append }: Entry): ReadonlyArray<string> => {
  const entity = `entity ${key.type} ${key.id}`
  if (append.reserve.length === 0 && append.release.length === 0) return [entity]
  return [entity, ...[...append.reserve, ...append.release].map(({ kind, name }) => `name ${kind} ${name}`)]
}

export const make = Effect.fnUntraced(function* (sql: PgClient.PgClient, settings: JournalSettings) {
  const commit = makeCommit(sql)
  const handOver = yield* Gathering.make({
    bounds: settings.appends,
    bytesOf: ({ bytes }: Entry) => bytes,
    claimsOf,
    perform: (group) => Effect.andThen(Metric.update(journalGroupMembers, group.length), commit(group)),
    overdue: (): Journal.AppendError =>
      unavailable(`no answer within ${Duration.format(settings.appends.deadline)}`),
    overfull: (): Journal.AppendError =>
      new Journal.JournalOverloaded({ operation: "append", retryAfterSeconds: settings.retryAfterSeconds })
  })
  return (key: Journal.EntityKey, append: Journal.Append): Effect.Effect<void, Journal.AppendError> =>
    Effect.try({
      try: () => entryOf(key, append),
      catch: (cause) => new Journal.JournalRefused({ ...key, cause })
    }).pipe(Effect.flatMap(handOver), Effect.uninterruptible)
})
