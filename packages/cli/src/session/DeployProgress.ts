/** Waiting for a deploy, and saying how it goes. The deploy goes on whether anybody waits or not. */
import { type Deploy, isTerminal } from "@starform/domain/model/Deploy"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { idleText, phaseLines } from "../output/DeployText.ts"
import { isWebIdle } from "../output/StatusText.ts"
import { paint } from "../output/Paint.ts"
import * as Printing from "../output/Printing.ts"
import type { ChosenApp } from "./AppChoice.ts"
import { CommandFailed, deployFailedStatus } from "./CommandFailed.ts"
import * as Session from "./Session.ts"

/** Flag of every command that deploys. */
export const detachFlag = {
  detach: Flag.Boolean("detach").pipe(
    Flag.withAlias("d"),
    Flag.withDescription("Do not wait for the outcome"),
    Flag.withDefault(false)
  )
}

/**
 * Prints the phases of a deploy until it ends.
 *
 * @param isBuildSeen the build's own log was printed before, which says more than that there is a build
 */
export const follow = Effect.fnUntraced(function* (
  { session, ref }: ChosenApp,
  deploy: Deploy,
  isBuildSeen: boolean,
  done = "Live"
) {
  const colors = yield* paint
  let seen = deploy
  yield* Printing.lines(phaseLines(colors, seen, { after: 0, isBuildSeen, done }))
  while (!isTerminal(seen.phase)) {
    const phasesSeen = seen.phases.length
    seen = yield* Session.ask(
      session,
      session.client.AwaitDeploy({ app: ref, deployId: deploy.id, phasesSeen })
    )
    yield* Printing.lines(phaseLines(colors, seen, { after: phasesSeen, isBuildSeen, done }))
  }
  return seen
})

/** @errors CommandFailed with status 1 unless the deploy became live */
export const mustBeLive = (deploy: Deploy): Effect.Effect<void, CommandFailed> =>
  deploy.phase === "deployed"
    ? Effect.void
    : Effect.fail(
        new CommandFailed({ line: `This deploy is not live: ${deploy.phase}.`, status: deployFailedStatus })
      )

/** What every command says that caused a deploy, or that caused none because nothing is live yet. */
export const conclude = Effect.fnUntraced(function* (
  chosen: ChosenApp,
  deploy: Deploy | null,
  options: {
    readonly headline: string
    readonly detach: boolean
    /** The process that is to run no copies; else it is said of `web` when that is so. */
    readonly idle?: string | undefined
  }
) {
  yield* Printing.lines([options.headline])
  if (deploy === null) {
    return yield* Printing.lines(["  Nothing is live yet: kept for the first deploy."])
  }
  if (options.detach) {
    return yield* Printing.lines([
      `  Deploy ${deploy.ordinal} is under way. ${chosen.line("status")} shows how it goes.`
    ])
  }
  const { session, ref: app } = chosen
  const status = yield* Session.ask(session, session.client.GetAppStatus({ app }))
  const idle = options.idle ?? (isWebIdle(status) ? "web" : undefined)
  const ended = yield* follow(chosen, deploy, false, idle === undefined ? "Live" : "Done")
  yield* mustBeLive(ended)
  if (idle !== undefined) yield* Printing.lines([`    ${idleText(idle, chosen.line)}`])
})
