/** `starform status` */
import { AppStatus } from "@starform/domain/protocol/AppRpcs"
import * as Command from "effect/cli/Command"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import { statusLines } from "../output/StatusText.ts"
import { appFlags, choose, nameOf } from "../session/AppChoice.ts"
import * as Session from "../session/Session.ts"

export const statusCommand = Command.make(
  "status",
  { ...appFlags, ...Printing.jsonFlag },
  Effect.fnUntraced(function* ({ json, ...flags }) {
    const { session, ref: app, project } = yield* choose(flags)
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
    yield* Printing.lines(statusLines(yield* paint, { name, branch, status, releases, nowMs }))
  }, Effect.scoped)
).pipe(Command.withDescription("What is live, how it does, and what to do next"))
