/** `starform restart` */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { appFlags, choose, nameOf } from "../session/AppChoice.ts"
import * as DeployProgress from "../session/DeployProgress.ts"
import * as Session from "../session/Session.ts"

export const restartCommand = Command.make(
  "restart",
  { ...appFlags, ...DeployProgress.detachFlag },
  Effect.fnUntraced(function* ({ detach, ...flags }) {
    const chosen = yield* choose(flags)
    const { session, ref: app } = chosen
    const requestId = yield* Session.requestId
    const deploy = yield* Session.ask(session, session.client.Restart({ app, requestId }))
    yield* DeployProgress.conclude(chosen, deploy, { headline: `Restarting ${nameOf(app)}.`, detach })
  }, Effect.scoped)
).pipe(Command.withDescription("Replace every running copy by a fresh one, without a gap"))
