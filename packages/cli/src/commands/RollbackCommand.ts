/** `starform rollback` */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { appFlags, choose, nameOf } from "../session/AppChoice.ts"
import { rejected } from "../session/CommandFailed.ts"
import * as DeployProgress from "../session/DeployProgress.ts"
import * as Session from "../session/Session.ts"

const digestText = /^(sha256:)?([0-9a-f]{6,64})$/

export const rollbackCommand = Command.make(
  "rollback",
  {
    ...appFlags,
    to: Flag.String("to").pipe(
      Flag.withDescription(
        "Number of a release, or the beginning of its image's digest; else the one that was live before"
      ),
      Flag.withMetavar("RELEASE"),
      Flag.optional
    ),
    ...DeployProgress.detachFlag
  },
  Effect.fnUntraced(function* ({ to, detach, ...flags }) {
    const chosen = yield* choose(flags)
    const { session, ref: app } = chosen
    const releases = yield* Session.ask(session, session.client.ListReleases({ app }))
    const release = yield* Option.match(to, {
      onNone: () => Effect.succeed(null),
      onSome: (text) => {
        const digest = digestText.exec(text)?.[2]
        const matching = releases.filter((candidate) =>
          /^\d{1,5}$/.test(text)
            ? candidate.number === Number(text)
            : digest !== undefined && candidate.digest.startsWith(`sha256:${digest}`)
        )
        const target = matching[0]
        if (target !== undefined && matching.length === 1) return Effect.succeed(target.number)
        return Effect.fail(
          rejected(
            target === undefined
              ? `There is no release "${text}". ${chosen.line("releases")} lists them.`
              : `More than one release has a digest that begins with ${text}.`
          )
        )
      }
    })
    const requestId = yield* Session.requestId
    const deploy = yield* Session.ask(session, session.client.RollBack({ app, requestId, release }))
    const target = releases.find(({ id }) => id === deploy.releaseId)
    const headline = `Rolling back ${nameOf(app)} to release ${target?.number ?? "before"}; nothing is built.`
    yield* DeployProgress.conclude(chosen, deploy, { headline, detach })
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Make an earlier release live again: its image as it was, without git and without a build"
  )
)
