/** `starform status` */
import { AppRef, AppStatus } from "@starform/domain/protocol/AppRpcs"
import * as Command from "effect/cli/Command"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { statusLines, statusRow } from "../output/StatusText.ts"
import { table } from "../output/Table.ts"
import { type AppFlags, appFlags, choiceOf, choose, nameOf, several } from "../session/AppChoice.ts"
import * as Session from "../session/Session.ts"

const Listed = Schema.Array(Schema.Struct({ app: AppRef, status: AppStatus }))

/** Asks for this many apps at a time. */
const asksMax = 8

const one = Effect.fnUntraced(function* (flags: AppFlags, json: boolean) {
  const { session, ref: app, project, line } = yield* choose(flags)
  const [status, releases] = yield* Effect.all(
    [
      Session.ask(session, session.client.GetAppStatus({ app })),
      Session.ask(session, session.client.ListReleases({ app }))
    ],
    { concurrency: 2 }
  )
  if (json) return yield* Printing.json(AppStatus, status)
  const nowMs = yield* Clock.currentTimeMillis
  const branch = project.environments.find(({ name }) => name === app.environment)?.branch ?? "main"
  const name = nameOf(app)
  yield* Printing.lines(statusLines(yield* paint, { name, branch, status, releases, nowMs, line }))
})

const all = Effect.fnUntraced(function* (
  { session, refs }: NonNullable<Effect.Success<ReturnType<typeof several>>>,
  json: boolean
) {
  const found = yield* Effect.forEach(
    refs,
    (app) =>
      Effect.map(Session.ask(session, session.client.GetAppStatus({ app })), (status) => ({ app, status })),
    { concurrency: asksMax }
  )
  if (json) return yield* Printing.json(Listed, found)
  const colors = yield* paint
  const first = refs[0] === undefined ? "<app>" : choiceOf(refs[0])
  const rows = found.map(({ app, status }) => [nameOf(app), ...statusRow(colors, status)])
  yield* Printing.lines([
    ...table(colors, ["APP", "STATE", "URL"], rows),
    "",
    `  ${colors.dim("Next")}  ${session.line(`status -a ${first}`)}   says more of one`
  ])
})

export const statusCommand = Command.make(
  "status",
  { ...appFlags, ...Printing.jsonFlag },
  Effect.fnUntraced(function* ({ json, ...flags }) {
    const apps = yield* several(flags)
    yield* apps === null ? one(flags, json) : all(apps, json)
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "What is live, how it does, and what to do next; without -a, a line for each of several apps"
  )
)
