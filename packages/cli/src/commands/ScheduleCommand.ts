/** `starform schedule` */
import { Schedule } from "@starform/domain/model/Schedule"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Printing from "../output/Printing.ts"
import { scheduleText } from "../output/StatusText.ts"
import { appFlags, choose, nameOf } from "../session/AppChoice.ts"
import { rejected } from "../session/CommandFailed.ts"
import * as DeployProgress from "../session/DeployProgress.ts"
import * as Session from "../session/Session.ts"

const isExpression = Schema.is(Schedule.fields.expression)
const isTimeZone = Schema.is(Schedule.fields.timeZone)

/** Checked before anything is asked, so that the answer is about the word that is wrong. */
const checked = (schedule: Schedule): Effect.Effect<Schedule, ReturnType<typeof rejected>> => {
  const { expression, timeZone } = schedule
  if (!isExpression(expression)) {
    return Effect.fail(
      rejected(
        `"${expression}" is no schedule: write minute, hour, day, month and weekday, e.g. "*/5 * * * *", or @daily.`
      )
    )
  }
  return isTimeZone(timeZone)
    ? Effect.succeed(schedule)
    : Effect.fail(rejected(`"${timeZone}" is no time zone: write one such as Europe/Berlin.`))
}

export const scheduleCommand = Command.make(
  "schedule",
  {
    expression: Argument.String("expression").pipe(
      Argument.withDescription(`e.g. "*/5 * * * *" or @daily, in quotes; without it, shows how it is`),
      Argument.optional
    ),
    timeZone: Flag.String("time-zone").pipe(
      Flag.withDescription("In which the times are meant; else UTC"),
      Flag.withMetavar("NAME"),
      Flag.optional
    ),
    concurrency: Flag.Literals("concurrency", ["allow", "forbid", "replace"]).pipe(
      Flag.withDescription(
        "When a run is due while the last one still runs: both run, the new one is skipped, or it takes over"
      ),
      Flag.withDefault("forbid")
    ),
    ...appFlags,
    ...DeployProgress.detachFlag,
    ...Printing.jsonFlag
  },
  Effect.fnUntraced(function* ({ expression, timeZone, concurrency, detach, json, ...flags }) {
    const wanted = Option.isNone(expression)
      ? null
      : yield* checked({
          expression: expression.value.trim(),
          timeZone: Option.getOrNull(timeZone),
          concurrency
        })
    const chosen = yield* choose(flags)
    const { session, ref: app } = chosen
    if (wanted === null) {
      const { schedule = null } = yield* Session.ask(session, session.client.GetAppStatus({ app }))
      if (json) return yield* Printing.json(Schema.NullOr(Schedule), schedule)
      return yield* Printing.lines([
        schedule === null ? `${nameOf(app)} has no schedule.` : scheduleText(schedule)
      ])
    }
    const requestId = yield* Session.requestId
    const deploy = yield* Session.ask(
      session,
      session.client.SetSchedule({ app, requestId, schedule: wanted })
    )
    const headline = `Running ${nameOf(app)} at ${scheduleText(wanted)}.`
    yield* DeployProgress.conclude(chosen, deploy, { headline, detach })
  }, Effect.scoped)
).pipe(
  Command.withDescription("When a service of type cron runs"),
  Command.withExamples([
    {
      command: `starform schedule -a shop/reports "30 3 * * 1-5" --time-zone Europe/Berlin`,
      description: "At half past three on weekdays"
    }
  ])
)
