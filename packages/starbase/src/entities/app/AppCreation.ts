/** How an app comes to be. Pure. */
import { InvalidInput } from "@starform/domain/errors/RequestErrors"
import * as Result from "effect/Result"
import type { Decision } from "../../journal/JournaledEntity.ts"
import type { AppEvent, AppIdentity, AppState } from "./AppState.ts"

/** Answers the identity that the app has: the first one stays, whatever else a repeat says about names. */
export const createApp = (
  state: AppState,
  { identity }: { readonly identity: AppIdentity }
): Result.Result<Decision<AppState, AppEvent, AppIdentity>, InvalidInput> => {
  const known = state.identity
  if (known === null) {
    return Result.succeed({ events: [{ _tag: "AppCreated", identity }], reply: () => identity })
  }
  return known.clusterId === identity.clusterId && known.appId === identity.appId
    ? Result.succeed({ events: [], reply: () => known })
    : Result.fail(new InvalidInput({ field: "identity", problem: "the app exists with another identity" }))
}
