/** What a deploy's workflow asks of its App. Transient trouble is waited out; a deploy that has ended is `null`. */
import type { AppId } from "@starform/domain/ids/AppId"
import { type DeployId, RequestId } from "@starform/domain/ids/Ids"
import type { Principal } from "@starform/domain/model/Principal"
import { classOf, type WireError } from "@starform/domain/errors/Reaction"
import * as Effect from "effect/Effect"
import * as Schedules from "../Schedules.ts"

export const principal: Principal = { _tag: "System", part: "deploy" }

/** The same for every attempt at one step of one deploy (INV-WF-1). */
export const requestIdOf = (deployId: DeployId, step: string): RequestId =>
  RequestId.make(`deploy:${deployId}:${step}`)

/**
 * @returns what the App answers, or `null` when its App says that it has ended, that it never was, or that it can do no more:
 * the workflow then has nothing left to do
 */
export const askApp = <A, E extends WireError>(
  appId: AppId,
  ask: Effect.Effect<A, E>
): Effect.Effect<A | null> =>
  ask.pipe(
    Effect.retry(Schedules.entityAway),
    Effect.catch((error) =>
      Effect.as(
        classOf(error.reaction) === "terminal"
          ? Effect.logError(`deploy of ${appId}: ${error.message}`)
          : Effect.logDebug(`deploy of ${appId}: ${error.message}`),
        null
      )
    )
  )
